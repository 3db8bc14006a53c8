package dev.longshore.vpnkit;

import dev.longshore.config.DnsFilter;
import dev.longshore.config.NetworkingMode;
import dev.longshore.packet.link.FrameTap;
import dev.longshore.packet.link.Link;
import dev.longshore.packet.wire.DhcpMessage;
import dev.longshore.packet.wire.IpAddress;
import dev.longshore.vpnkit.count.Counters;
import dev.longshore.vpnkit.dns.AddressFilter;
import dev.longshore.vpnkit.dns.DnsCounter;
import dev.longshore.vpnkit.dns.DnsForwarder;
import dev.longshore.vpnkit.dns.DnsRoute;
import dev.longshore.vpnkit.dns.DnsServer;
import dev.longshore.vpnkit.dns.HostsFile;
import dev.longshore.vpnkit.dns.Resolvers;
import dev.longshore.vpnkit.dns.ToldNames;
import dev.longshore.vpnkit.ethernet.EthernetConfig;
import dev.longshore.vpnkit.ethernet.EthernetLayer;
import dev.longshore.vpnkit.ethernet.LostHop;
import dev.longshore.vpnkit.ethernet.PacketSink;
import dev.longshore.vpnkit.flow.FlowOwners;
import dev.longshore.vpnkit.flow.SeenFlow;
import dev.longshore.vpnkit.gateway.DhcpServer;
import dev.longshore.vpnkit.gateway.GatewayCounter;
import dev.longshore.vpnkit.gateway.Ipv6Gateway;
import dev.longshore.vpnkit.hostsocket.EgressGate;
import dev.longshore.vpnkit.hostsocket.HostDatagrams;
import dev.longshore.vpnkit.icmp.EchoFlows;
import dev.longshore.vpnkit.icmp.IcmpCounter;
import dev.longshore.vpnkit.icmp.IcmpLayer;
import dev.longshore.vpnkit.icmp.Icmpv6Layer;
import dev.longshore.vpnkit.icmp.PingSockets;
import dev.longshore.vpnkit.ip.DualOutput;
import dev.longshore.vpnkit.ip.Families;
import dev.longshore.vpnkit.ip.GuestAddresses;
import dev.longshore.vpnkit.ip.IcmpErrorSender;
import dev.longshore.vpnkit.ip.IcmpErrors;
import dev.longshore.vpnkit.ip.IpCounter;
import dev.longshore.vpnkit.ip.IpInput;
import dev.longshore.vpnkit.ip.IpOutput;
import dev.longshore.vpnkit.ip.IpPlan;
import dev.longshore.vpnkit.ip.Ipv4Output;
import dev.longshore.vpnkit.ip.Ipv6Output;
import dev.longshore.vpnkit.ip.TransportInput;
import dev.longshore.vpnkit.udp.UdpLayer;
import dev.longshore.vpnkit.udp.UdpOutput;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.channel.EventLoop;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The whole user-space network of one guest: frames in and out of a {@link Link} on the one side, host sockets on the
 * other. Two of them in one process know nothing of each other.
 *
 * <p>Confined to the link's event loop, all methods, but for {@link #readings}.
 */
public final class Network {
    private static final Logger LOG = LoggerFactory.getLogger(Network.class);

    private final Link link;
    private final EventLoop loop;
    private final Counters<IpCounter> ipCounters = new Counters<>(IpCounter.class);
    private final Counters<IcmpCounter> icmpCounters = new Counters<>(IcmpCounter.class);
    private final Counters<GatewayCounter> gatewayCounters = new Counters<>(GatewayCounter.class);
    private final Counters<DnsCounter> dnsCounters = new Counters<>(DnsCounter.class);
    private final EthernetLayer ethernet;
    private final Ipv4Output v4;
    private final Ipv6Output v6;
    private final IpInput input;
    private final GuestAddresses guestAddresses;
    private final Families families;
    private final AddressFilter addressFilter;
    private final UdpLayer udp;
    private final EchoFlows echoes;
    private final DhcpServer dhcp;
    private final Ipv6Gateway gateway6;
    private final Resolvers resolvers;
    private final DnsForwarder forwarder;
    private final DnsServer dns;
    private final TransportInput tcp;
    private boolean closed;

    /** Makes the TCP of a network, once its way to the guest exists. */
    public interface TcpFactory {
        TransportInput create(IpOutput output, IcmpErrors errors, EventLoop loop, LongSupplier nanoClock);
    }

    /** One without a policy. */
    public Network(
            NetworkConfig config,
            Link link,
            EventLoop loop,
            LongSupplier nanoClock,
            PingSockets pingSockets,
            TcpFactory tcpFactory) {
        this(config, link, loop, nanoClock, pingSockets, tcpFactory, EgressGate.OPEN, new ToldNames(nanoClock));
    }

    /**
     * Puts a network together on the loop; {@link #start} opens the link.
     *
     * @param link owned from now on: closed by {@link #close}
     * @param nanoClock compared by subtraction only; {@code System::nanoTime}
     * @param gate whether datagrams and pings may go out; for TCP the factory's dialer says it
     * @param told hears of all names that the guest is told
     */
    public Network(
            NetworkConfig config,
            Link link,
            EventLoop loop,
            LongSupplier nanoClock,
            PingSockets pingSockets,
            TcpFactory tcpFactory,
            EgressGate gate,
            ToldNames told) {
        assert loop.inEventLoop();
        this.link = link;
        this.loop = loop;
        IpPlan plan = config.plan();
        LatePacketSink sink = new LatePacketSink();
        int[] ours = {plan.gateway().v4Bits(), plan.dns().v4Bits(), plan.host().v4Bits()};
        ethernet = new EthernetLayer(
                link,
                new EthernetConfig(
                        config.ourMac(),
                        config.guestMac(),
                        plan.guest().v4Bits(),
                        plan.hasIpv6() ? plan.guest6() : null,
                        ours,
                        plan.network(),
                        plan.mask(),
                        ourIpv6(plan),
                        IpPlan.LINK_LOCAL,
                        plan.ipv6Prefix()),
                sink,
                loop);
        v4 = new Ipv4Output(ethernet, config.mtu(), ipCounters);
        v6 = new Ipv6Output(ethernet, config.mtu(), ipCounters);
        DualOutput output = new DualOutput(ethernet, v4, v6, config.mtu());
        IcmpErrorSender errors = new IcmpErrorSender(output, plan, ipCounters, nanoClock);
        HostDatagrams datagrams = new HostDatagrams(loop);
        UdpOutput udpOutput = new UdpOutput(output, loop);
        guestAddresses = new GuestAddresses(
                plan, ethernet::isGuestHeard, ethernet.discovery()::guestAddress, this::isGuestRoutedByIpv6);
        families = new Families(plan);
        addressFilter = new AddressFilter(families, config.hostHasIpv4(), config.hostHasIpv6(), nanoClock);
        udp = new UdpLayer(
                plan, families, udpOutput, errors, loop, nanoClock, config.udp(), datagrams, guestAddresses, gate);
        tcp = tcpFactory.create(output, errors, loop, nanoClock);
        echoes = new EchoFlows(families, pingSockets, datagrams, output, errors, loop, nanoClock, icmpCounters, gate);
        IcmpLayer icmp = new IcmpLayer(plan, output, echoes, tcp, udp, icmpCounters);
        resolvers = Resolvers.ofFile(config.resolvConf(), nanoClock);
        resolvers.choose(config.resolvers());
        gateway6 = new Ipv6Gateway(
                plan,
                families,
                config.ourMac(),
                config.guestMac(),
                config.mtu(),
                config.hostHasIpv6(),
                resolvers::searchDomains,
                ethernet,
                v6,
                loop,
                gatewayCounters);
        Icmpv6Layer icmp6 = new Icmpv6Layer(plan, output, echoes, tcp, udp, icmpCounters);
        input = new IpInput(
                plan,
                output,
                errors,
                loop,
                nanoClock,
                ByteBufAllocator.DEFAULT,
                ipCounters,
                tcp,
                udp,
                icmp,
                ethernet.discovery(),
                gateway6,
                icmp6);
        sink.target = input;
        dhcp = new DhcpServer(plan, config.guestMac(), config.mtu(), resolvers::searchDomains, v4, gatewayCounters);
        forwarder = new DnsForwarder(loop, resolvers, addressFilter, told, nanoClock, dnsCounters);
        dns = DnsServer.of(
                plan,
                loop,
                HostsFile.of(config.hostsFile(), plan, loop, nanoClock),
                addressFilter,
                forwarder,
                told,
                udpOutput,
                ByteBufAllocator.DEFAULT,
                dnsCounters);
        udp.bind(IpAddress.v4(-1), DhcpMessage.SERVER_PORT, dhcp);
        udp.bind(plan.gateway(), DhcpMessage.SERVER_PORT, dhcp);
        udp.bind(plan.dns(), DnsServer.PORT, dns);
        if (plan.hasIpv6()) {
            udp.bind(plan.dns6(), DnsServer.PORT, dns);
        }
    }

    private static IpAddress[] ourIpv6(IpPlan plan) {
        return plan.hasIpv6()
                ? new IpAddress[] {IpPlan.LINK_LOCAL, plan.gateway6(), plan.dns6(), plan.host6()}
                : new IpAddress[0];
    }

    /** The layers below and above each other need each other; this one learns its target last. */
    private static final class LatePacketSink implements PacketSink {
        @SuppressWarnings("NullAway.Init") // set by the constructor of the network, before the link is open
        PacketSink target;

        @Override
        public void onIpv4(ByteBuf b, int at, int len, int offload) {
            target.onIpv4(b, at, len, offload);
        }

        @Override
        public void onIpv6(ByteBuf b, int at, int len, int offload) {
            target.onIpv6(b, at, len, offload);
        }

        @Override
        public void onBatchEnd() {
            target.onBatchEnd();
        }

        @Override
        public void onWritable() {
            target.onWritable();
        }

        @Override
        public void onLinkState(boolean up) {
            target.onLinkState(up);
        }

        @Override
        public void onNobody(LostHop hop) {
            target.onNobody(hop);
        }
    }

    /** Opens the link. */
    public void start() {
        assert loop.inEventLoop();
        link.open(ethernet);
    }

    public UdpLayer udp() {
        return udp;
    }

    /** Where flows into the guest go, and who may appear to call. */
    public GuestAddresses guestAddresses() {
        return guestAddresses;
    }

    private boolean isGuestRoutedByIpv6() {
        return gateway6.isDefaultRouter();
    }

    /**
     * Which families the guest reaches the world by, and which address records it gets, from now on. New flows of the others
     * are refused, and the guest is told by router advertisement.
     */
    public void setFamilies(NetworkingMode mode, DnsFilter filter) {
        assert loop.inEventLoop();
        families.set(mode);
        addressFilter.set(filter);
        gateway6.onFamiliesChanged();
    }

    /**
     * Who is asked for names from now on.
     *
     * @param servers instead of the host's resolvers; none for these
     * @param routes besides, by domain
     */
    public void setResolvers(List<InetSocketAddress> servers, List<DnsRoute> routes) {
        assert loop.inEventLoop();
        resolvers.choose(servers);
        forwarder.setRoutes(routes);
    }

    /** Who the flows of UDP and pings belong to, from now on; before the first one. TCP has its own. */
    public void attribute(FlowOwners owners) {
        assert loop.inEventLoop();
        udp.attribute(owners);
        echoes.attribute(owners);
    }

    /** The gate admits other things than before: UDP flows and pings that it denies now end. */
    public void onPolicyChanged() {
        assert loop.inEventLoop();
        udp.onPolicyChanged();
        echoes.onPolicyChanged();
    }

    /** Which families the guest may reach the world by now. */
    public Families families() {
        return families;
    }

    /** Pings beyond our own addresses. */
    public EchoFlows echoes() {
        return echoes;
    }

    /** The name server; its {@code tcpInitializer} belongs at (dns, 53) of the TCP services. */
    public DnsServer dns() {
        return dns;
    }

    /** All counters of all layers but TCP's. From any thread. */
    public List<Counters.Reading> readings() {
        List<Counters.Reading> all = new ArrayList<>(ethernet.counters().readings());
        all.addAll(ipCounters.readings());
        all.addAll(icmpCounters.readings());
        all.addAll(udp.counters().readings());
        all.addAll(gatewayCounters.readings());
        all.addAll(dnsCounters.readings());
        return all;
    }

    /** Adds all flows but TCP's, in no order. */
    public void collectFlows(List<? super SeenFlow> list) {
        assert loop.inEventLoop();
        udp.snapshot().forEach(s -> list.add(SeenFlow.of(s)));
        echoes.snapshot().forEach(s -> list.add(SeenFlow.of(s)));
    }

    /** From now on {@code tap} sees every frame of the link; null: nobody does. */
    public void setTap(@Nullable FrameTap tap) {
        assert loop.inEventLoop();
        ethernet.setTap(tap);
    }

    /** Ends all flows, then the link. Idempotent. */
    public void close() {
        assert loop.inEventLoop();
        if (closed) {
            return;
        }
        closed = true;
        tcp.onLinkState(false);
        forwarder.close();
        dns.close();
        udp.close();
        echoes.close();
        input.close();
        link.close();
        v4.close();
        v6.close();
        ethernet.close();
        dhcp.close();
        gateway6.close();
        LOG.debug("network closed");
    }
}
