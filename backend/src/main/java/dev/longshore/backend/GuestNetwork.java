package dev.longshore.backend;

import dev.longshore.config.AddressPlan;
import dev.longshore.config.DomainServer;
import dev.longshore.config.Ipv6Mode;
import dev.longshore.config.Settings;
import dev.longshore.control.Events;
import dev.longshore.packet.link.Link;
import dev.longshore.packet.wire.IpAddress;
import dev.longshore.policy.DecisionListener;
import dev.longshore.policy.EgressControl;
import dev.longshore.policy.GuardedDialer;
import dev.longshore.portforward.BindPolicy;
import dev.longshore.portforward.PortSnapshot;
import dev.longshore.portforward.PortTable;
import dev.longshore.portforward.PortWatcher;
import dev.longshore.portforward.UdpLimits;
import dev.longshore.proxy.HttpProxy;
import dev.longshore.proxy.ProxySettings;
import dev.longshore.proxy.audit.Auditor;
import dev.longshore.proxy.choice.LiveRouter;
import dev.longshore.proxy.intercept.QuicGate;
import dev.longshore.proxy.intercept.TransparentDialer;
import dev.longshore.proxy.intercept.TransparentPorts;
import dev.longshore.proxy.pac.PacScript;
import dev.longshore.proxy.system.SystemProxies;
import dev.longshore.vpnkit.Network;
import dev.longshore.vpnkit.NetworkConfig;
import dev.longshore.vpnkit.dns.DnsRoute;
import dev.longshore.vpnkit.dns.DnsServer;
import dev.longshore.vpnkit.dns.ToldNames;
import dev.longshore.vpnkit.flow.ContainerAccount;
import dev.longshore.vpnkit.flow.ContainerDirectory;
import dev.longshore.vpnkit.flow.ContainerIdentity;
import dev.longshore.vpnkit.flow.FlowOwners;
import dev.longshore.vpnkit.flow.GuestConnector;
import dev.longshore.vpnkit.flow.Services;
import dev.longshore.vpnkit.hostsocket.Destination;
import dev.longshore.vpnkit.hostsocket.DialResult;
import dev.longshore.vpnkit.hostsocket.DirectDialer;
import dev.longshore.vpnkit.hostsocket.OwnAddresses;
import dev.longshore.vpnkit.icmp.PingSockets;
import dev.longshore.vpnkit.ip.IcmpErrors;
import dev.longshore.vpnkit.ip.IpOutput;
import dev.longshore.vpnkit.ip.IpPlan;
import dev.longshore.vpnkit.ip.TransportInput;
import dev.longshore.vpnkit.tcp.GuestCalls;
import dev.longshore.vpnkit.tcp.TcpLimits;
import dev.longshore.vpnkit.tcp.TcpStack;
import io.netty.channel.EventLoop;
import io.netty.channel.socket.DuplexChannel;
import io.netty.util.concurrent.Future;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The network of one run, put together on the link's event loop: the stack, the services at our own addresses, the way
 * into the guest, and the table of published ports. Confined to that loop, except the methods that say otherwise.
 */
final class GuestNetwork {
    private static final Logger LOG = LoggerFactory.getLogger(GuestNetwork.class);
    private static final long CLOSE_SECONDS = 5;

    /** Ours in Via. */
    private static final String PSEUDONYM = "longshore";

    private final EventLoop loop;
    private final DirectDialer dialer;
    private final EgressControl egress;
    private final GuardedDialer guarded;
    private final PolicyView policy;
    private final LiveRouter router;
    private final UpstreamPart upstream;
    private final AuditPart audit;
    private final DnsView dnsView;
    private final TransparentDialer transparent;
    private final QuicGate quic;
    private final ProxyView proxies;
    private final Network network;
    private final IpPlan plan;
    private final PortTable ports;
    private final FlowOwners owners;
    private final NetworkView view;
    private final SecureRandom random = new SecureRandom();
    private @Nullable TcpStack tcp;

    /**
     * Called on the loop.
     *
     * @param names of containers by address
     * @param system what the host is set to; taken ownership of
     * @param audit hears of what went through the proxy; taken ownership of
     * @param portsChanged called on the loop when a port was bound or released
     */
    GuestNetwork(
            Settings settings,
            Link link,
            EventLoop loop,
            ContainerDirectory names,
            SystemProxies system,
            AuditPart audit,
            Consumer<Events.What> events,
            Runnable portsChanged) {
        this.loop = loop;
        plan = plan(settings.network());
        OwnAddresses own = own(plan);
        dialer = new DirectDialer(own);
        ToldNames told = new ToldNames(System::nanoTime);
        egress = new EgressControl(loop, plan, names, told, System::nanoTime, d -> onDecision(d, events));
        egress.set(settings.egress());
        guarded = egress.dialer(dialer, own);
        policy = new PolicyView(loop, egress);
        router = new LiveRouter(own, system, PacScript::at);
        router.set(settings.proxy(), settings.containersProxy());
        upstream = new UpstreamPart(settings, PSEUDONYM, router, guarded, own, System.getenv());
        this.audit = audit;
        audit.apply(settings);
        proxies = new ProxyView(router, upstream::states, audit::last);
        Auditor auditor = new Auditor(audit, InstantSource.system(), address -> nameOf(names.of(address)));
        Capacity capacity = Capacity.ofProcess(settings.limits());
        HttpProxy proxy =
                new HttpProxy(ProxySettings.of(PSEUDONYM, own), upstream.upstreams(), capacity.idleOrigins(), auditor);
        Function<IpAddress, List<String>> toldNames = address -> namesOf(told, address);
        transparent = new TransparentDialer(
                guarded, upstream.upstreams().audited(auditor), router, own, toldNames, proxy, auditor);
        quic = new QuicGate(egress, router, toldNames, loop);
        take(settings);
        Services services = new Services();
        if (capacity.tcpFlows() < settings.limits().tcpFlows()
                || capacity.udpFlows() < settings.limits().udpFlows()) {
            LOG.info(
                    "{} TCP and {} UDP flows of the guest at a time, not the settings' {} and {}: more file descriptors"
                            + " (RLIMIT_NOFILE) and memory (-Xmx, -XX:MaxDirectMemorySize) would allow more",
                    capacity.tcpFlows(),
                    capacity.udpFlows(),
                    settings.limits().tcpFlows(),
                    settings.limits().udpFlows());
        }
        TcpLimits limits = new TcpLimits(capacity.tcpFlows(), capacity.dials(), capacity.bufferedBytes());
        network = new Network(
                config(plan, settings, capacity),
                link,
                loop,
                System::nanoTime,
                settings.network().ping() ? PingSockets.ofHost() : PingSockets.none(),
                (output, errors, l, clock) -> stack(output, errors, l, clock, services, limits),
                quic,
                told);
        owners = new FlowOwners(names, this::isGuestAlways, loop);
        network.attribute(owners);
        tcp().attribute(owners);
        services.register(plan.dns(), DnsServer.PORT, network.dns().tcpInitializer());
        services.register(plan.gateway(), AddressPlan.PROXY_PORT, proxy);
        if (plan.hasIpv6()) {
            services.register(plan.dns6(), DnsServer.PORT, network.dns().tcpInitializer());
            services.register(plan.gateway6(), AddressPlan.PROXY_PORT, proxy);
        }
        ports = new PortTable(
                connector(),
                BindPolicy.of(settings.ports()),
                settings.limits().publishedPorts(),
                UdpLimits.DEFAULT,
                new Watcher(events, portsChanged));
        view = new NetworkView(
                loop,
                list -> {
                    network.collectFlows(list);
                    tcp().collect(list);
                },
                network::setTap,
                this::isGuestItself);
        network.setFamilies(settings.network().mode(), settings.network().dnsFilter());
        setResolvers(settings.network());
        network.dns().setPolicy(egress::deniesName);
        dnsView = new DnsView(loop, network.dns());
    }

    private void setResolvers(Settings.Network wanted) {
        Map<String, List<InetSocketAddress>> routes = new LinkedHashMap<>();
        for (DomainServer route : wanted.dnsRoutes()) {
            routes.computeIfAbsent(route.domain(), _ -> new ArrayList<>()).add(route.server());
        }
        network.setResolvers(
                resolvers(wanted),
                routes.entrySet().stream()
                        .map(e -> new DnsRoute(e.getKey(), e.getValue()))
                        .toList());
    }

    private static List<InetSocketAddress> resolvers(Settings.Network wanted) {
        return wanted.dnsServers().stream()
                .map(a -> new InetSocketAddress(a, DnsServer.PORT))
                .toList();
    }

    /** Which connections are taken through proxies unasked. On the loop. */
    private void take(Settings settings) {
        TransparentPorts wanted =
                TransparentPorts.parse(settings.containersProxy().transparentPorts());
        transparent.setPorts(wanted);
        quic.setPorts(wanted);
    }

    private static String nameOf(@Nullable ContainerIdentity container) {
        return container == null ? "" : container.name();
    }

    private static List<String> namesOf(ToldNames told, IpAddress address) {
        List<String> names = new ArrayList<>(2);
        told.namesOf(address.hi(), address.lo(), (name, asked, _) -> {
            if (asked) {
                names.add(name);
            }
            return true;
        });
        return names;
    }

    private static IpPlan plan(Settings.Network wanted) {
        IpPlan plan = IpPlan.of(wanted.plan());
        if (wanted.ipv6() == Ipv6Mode.OFF) {
            return plan.withoutIpv6();
        }
        if (wanted.mtu() < AddressPlan.IPV6_MIN_MTU) {
            LOG.info("no IPv6 for the guest: its packets need an MTU of {}", AddressPlan.IPV6_MIN_MTU);
            return plan.withoutIpv6();
        }
        return plan;
    }

    /** The address of the plan; of IPv6 any that it may have on the link, unless the directory knows better. */
    private boolean isGuestItself(IpAddress address) {
        return address.isV4() ? address.equals(plan.guest()) : plan.isOnLink(address.hi(), address.lo());
    }

    /** Never a container's, whatever the Engine says: a network of containers may overlap the link's. */
    private boolean isGuestAlways(IpAddress address) {
        return plan.isGuest(address.hi(), address.lo());
    }

    private static OwnAddresses own(IpPlan plan) {
        Set<String> names = Set.of("host.docker.internal", "host.containers.internal", "kubernetes.docker.internal");
        OwnAddresses.Subnet v4 = new OwnAddresses.Subnet(plan.gateway(), plan.prefixLength());
        return plan.hasIpv6()
                ? new OwnAddresses(
                        Set.of(plan.host(), plan.host6()),
                        names,
                        List.of(v4, new OwnAddresses.Subnet(plan.gateway6(), 64)))
                : new OwnAddresses(Set.of(plan.host()), names, List.of(v4));
    }

    private static NetworkConfig config(IpPlan plan, Settings settings, Capacity capacity) {
        Settings.Network wanted = settings.network();
        NetworkConfig usual = NetworkConfig.of(plan, wanted.mtu(), resolvers(wanted));
        dev.longshore.vpnkit.udp.UdpLimits udp = usual.udp();
        return new NetworkConfig(
                usual.plan(),
                usual.mtu(),
                usual.ourMac(),
                usual.guestMac(),
                usual.resolvers(),
                usual.resolvConf(),
                usual.hostsFile(),
                new dev.longshore.vpnkit.udp.UdpLimits(
                        capacity.udpFlows(), udp.dnsIdle(), udp.shortIdle(), udp.streamIdle()),
                usual.hostHasIpv4(),
                wanted.ipv6() == Ipv6Mode.ON ? () -> true : usual.hostHasIpv6());
    }

    private TransportInput stack(
            IpOutput output, IcmpErrors errors, EventLoop l, LongSupplier clock, Services services, TcpLimits limits) {
        TcpStack made = new TcpStack(
                output, l, this::dialForGuest, services, errors, limits, TcpStack.ACK_DELAY, clock, random);
        tcp = made;
        return made;
    }

    /** A remote of a family that the networking mode lacks is unreachable; to be told at once, not to wait for. */
    private Future<DialResult> dialForGuest(Destination destination, EventLoop on) {
        IpAddress remote = destination.address();
        return remote == null || network.families().mayReach(remote.hi(), remote.lo())
                ? transparent.dial(destination, on)
                : on.newSucceededFuture(new DialResult.Unreachable(
                        true, "the networking mode has no " + (remote.isV4() ? "IPv4" : "IPv6")));
    }

    private TcpStack tcp() {
        TcpStack made = tcp;
        if (made == null) {
            throw new IllegalStateException("the network makes its TCP first");
        }
        return made;
    }

    private GuestConnector connector() {
        GuestCalls calls = new GuestCalls(tcp(), network.guestAddresses(), random);
        return new GuestConnector() {
            @Override
            public EventLoop loop() {
                return loop;
            }

            @Override
            public void forwardTcp(
                    DuplexChannel host, IpAddress guest, int guestPort, IpAddress source, int sourcePort) {
                calls.forwardTcp(host, guest, guestPort, source, sourcePort);
            }

            @Override
            public Future<DialResult> connectTcp(IpAddress guest, int guestPort) {
                return calls.connectTcp(guest, guestPort);
            }

            @Override
            public UdpFlow openUdp(
                    IpAddress guest, int guestPort, IpAddress source, int sourcePort, UdpReplies replies) {
                return network.udp().openInbound(guest, guestPort, source, sourcePort, replies);
            }
        };
    }

    /** These files of certificates, or the host's store, have changed. Any thread. */
    void trust(List<Path> authorities) {
        upstream.trust(authorities);
    }

    void start() {
        network.start();
    }

    /**
     * What of the settings counts at once: where ports are bound, families, name servers, the egress policy, proxies. From any
     * thread.
     */
    void apply(Settings settings) {
        router.set(settings.proxy(), settings.containersProxy());
        upstream.apply(settings);
        audit.apply(settings);
        ports.place(BindPolicy.of(settings.ports())).whenComplete((moved, failure) -> {
            if (failure == null && moved > 0) {
                LOG.info("{} published ports move to where the settings want them", moved);
            }
        });
        try {
            loop.execute(() -> {
                take(settings);
                network.setFamilies(
                        settings.network().mode(), settings.network().dnsFilter());
                setResolvers(settings.network());
                egress.set(settings.egress());
                network.onPolicyChanged();
            });
        } catch (RejectedExecutionException e) {
            LOG.debug("the network has ended");
        }
    }

    /** From any thread. */
    IpPlan plan() {
        return plan;
    }

    /** From any thread. */
    PortTable ports() {
        return ports;
    }

    /** From any thread. */
    List<dev.longshore.vpnkit.count.Counters.Reading> readings() {
        List<dev.longshore.vpnkit.count.Counters.Reading> all = new java.util.ArrayList<>(network.readings());
        all.addAll(tcp().counters().readings());
        all.addAll(egress.readings());
        all.addAll(ports.readings());
        all.addAll(audit.readings());
        return all;
    }

    private static void onDecision(DecisionListener.Decided decided, Consumer<Events.What> events) {
        LOG.info("egress policy: {}", decided.text());
        events.accept(PolicyView.event(decided));
    }

    /** What the egress policy says and has done; from any thread. */
    PolicyView policy() {
        return policy;
    }

    /** Which way what leaves goes; from any thread. */
    ProxyView proxies() {
        return proxies;
    }

    /** Its name server, for observers; from any thread. */
    DnsView dns() {
        return dnsView;
    }

    /** Its flows and frames, for observers; from any thread. */
    NetworkView view() {
        return view;
    }

    /** Containers that had flows, and what these came to; from any thread. */
    List<ContainerAccount> accounts() {
        return owners.accounts();
    }

    /** Frames and packets dropped so far, for all reasons; from any thread. */
    long dropped() {
        return readings().stream()
                .filter(r -> r.metric().endsWith(".dropped"))
                .mapToLong(dev.longshore.vpnkit.count.Counters.Reading::value)
                .sum();
    }

    /** Releases the ports, then ends all flows and the link; from the lifecycle thread. */
    void close() {
        CompletableFuture<Integer> released = ports.closeAll();
        try {
            released.get(CLOSE_SECONDS, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (java.util.concurrent.ExecutionException | java.util.concurrent.TimeoutException e) {
            // The sockets go with the loop.
        }
        Futures.settle(loop.submit(() -> {
            view.close();
            tcp().endAll();
            owners.close();
            network.close();
        }));
        dialer.close();
        policy.close();
        router.close();
        upstream.close();
        audit.close();
    }

    /** Ports as events. */
    private record Watcher(Consumer<Events.What> events, Runnable changed) implements PortWatcher {
        @Override
        public void onExposed(PortSnapshot port) {
            events.accept(new Events.PortChanged(true, port.text()));
            changed.run();
        }

        @Override
        public void onReleased(PortSnapshot port) {
            events.accept(new Events.PortChanged(false, port.text()));
            changed.run();
        }

        @Override
        public void onNotMoved(PortSnapshot port) {
            events.accept(new Events.Notice(port.note()));
        }
    }
}
