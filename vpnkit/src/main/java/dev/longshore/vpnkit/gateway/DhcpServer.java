package dev.longshore.vpnkit.gateway;

import dev.longshore.packet.link.OutFrame;
import dev.longshore.packet.wire.Checksum;
import dev.longshore.packet.wire.DhcpMessage;
import dev.longshore.packet.wire.EthernetHeader;
import dev.longshore.packet.wire.IpAddress;
import dev.longshore.packet.wire.IpProtocol;
import dev.longshore.packet.wire.Ipv4Header;
import dev.longshore.packet.wire.UdpHeader;
import dev.longshore.vpnkit.count.Counters;
import dev.longshore.vpnkit.ip.IpPlan;
import dev.longshore.vpnkit.ip.Ipv4Output;
import dev.longshore.vpnkit.udp.UdpService;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The only DHCP server of its link, and authoritative: RFC 2131 §4.3. Confined to the link's event loop.
 *
 * <p>Every client gets all options there are, asked for or not. There is no option 121 (classless routes): a client must ignore
 * the router option beside it (RFC 3442), and would learn nothing from it.
 */
public final class DhcpServer implements UdpService {
    private static final Logger LOG = LoggerFactory.getLogger(DhcpServer.class);

    /** A week: nothing is gained by renewing, and a guest that slept keeps its address. */
    static final int LEASE_SECONDS = (int) TimeUnit.DAYS.toSeconds(7);

    /** Then the counter has the rest. */
    static final int DECLINES_LOGGED = 10;

    private static final int NOBODY = 0;

    private final IpPlan plan;
    private final int mtu;
    private final Supplier<List<String>> searchDomains;
    private final Ipv4Output output;
    private final Leases leases;
    private final Counters<GatewayCounter> counters;
    private final ByteBuf answer = Unpooled.directBuffer(512);
    private List<String> tooLong = List.of();
    private int declinesLogged;

    /** @param searchDomains for the guest's resolver; a few, see {@link Resolvers} */
    public DhcpServer(
            IpPlan plan,
            long guestMac,
            int mtu,
            Supplier<List<String>> searchDomains,
            Ipv4Output output,
            Counters<GatewayCounter> counters) {
        this.plan = plan;
        this.mtu = mtu;
        this.searchDomains = searchDomains;
        this.output = output;
        this.leases = new Leases(plan, guestMac);
        this.counters = counters;
    }

    @Override
    public void onDatagram(
            ByteBuf b,
            int at,
            int len,
            long guestHi,
            long guestLo,
            int guestPort,
            long ourHi,
            long ourLo,
            int ourPort) {
        boolean request = DhcpMessage.isValid(b, at, len)
                && DhcpMessage.op(b, at) == DhcpMessage.BOOT_REQUEST
                && !EthernetHeader.isGroup(DhcpMessage.clientMac(b, at));
        if (!request) {
            counters.increment(GatewayCounter.DHCP_DROPPED);
            return;
        }
        switch (DhcpMessage.byteOption(b, at, len, DhcpMessage.OPTION_MESSAGE_TYPE, 0)) {
            case DhcpMessage.DISCOVER -> onDiscover(b, at, len);
            case DhcpMessage.REQUEST -> onRequest(b, at, len);
            case DhcpMessage.INFORM -> onInform(b, at, len);
            case DhcpMessage.RELEASE -> leases.release(DhcpMessage.clientMac(b, at));
            case DhcpMessage.DECLINE -> onDecline(b, at, len);
            default -> counters.increment(GatewayCounter.DHCP_DROPPED);
        }
        counters.set(GatewayCounter.DHCP_LEASES, leases.size());
    }

    private void onDiscover(ByteBuf b, int at, int len) {
        int address = leases.lease(DhcpMessage.clientMac(b, at));
        if (address == 0) {
            counters.increment(GatewayCounter.DHCP_EXHAUSTED);
            return;
        }
        counters.increment(GatewayCounter.DHCP_OFFERS);
        answer(b, at, len, DhcpMessage.OFFER, address);
    }

    /** RFC 2131 §4.3.2: selecting, after a reboot, renewing or rebinding; in each the station names the address it means. */
    private void onRequest(ByteBuf b, int at, int len) {
        int server = DhcpMessage.intOption(b, at, len, DhcpMessage.OPTION_SERVER_ID, NOBODY);
        if (server != NOBODY && server != plan.gateway().v4Bits()) {
            counters.increment(GatewayCounter.DHCP_DROPPED); // it chose somebody else, whoever that is
            return;
        }
        long mac = DhcpMessage.clientMac(b, at);
        int asked =
                DhcpMessage.intOption(b, at, len, DhcpMessage.OPTION_REQUESTED_ADDRESS, DhcpMessage.clientIp(b, at));
        int address = leases.lease(mac);
        if (address == 0 || asked != address) {
            counters.increment(GatewayCounter.DHCP_NAKS);
            nak(b, at, len);
            return;
        }
        counters.increment(GatewayCounter.DHCP_ACKS);
        answer(b, at, len, DhcpMessage.ACK, address);
        LOG.debug("dhcp {} has {}", EthernetHeader.toText(mac), IpAddress.v4(address));
    }

    private void onInform(ByteBuf b, int at, int len) {
        counters.increment(GatewayCounter.DHCP_ACKS);
        answer(b, at, len, DhcpMessage.ACK, 0);
    }

    private void onDecline(ByteBuf b, int at, int len) {
        int address = DhcpMessage.intOption(b, at, len, DhcpMessage.OPTION_REQUESTED_ADDRESS, 0);
        long mac = DhcpMessage.clientMac(b, at);
        if (address == 0 || leases.find(mac) != address) {
            counters.increment(GatewayCounter.DHCP_DROPPED); // of an address that it has not got
            return;
        }
        counters.increment(GatewayCounter.DHCP_DECLINED);
        if (declinesLogged < DECLINES_LOGGED) { // a guest can repeat it: the log must not grow with it
            declinesLogged++;
            LOG.warn(
                    "the guest {} says that {} is in use: look for a second network card with this address in the guest",
                    EthernetHeader.toText(mac),
                    IpAddress.v4(address));
        }
        leases.decline(mac, address);
    }

    /** @param address leased, or 0 in the answer to INFORM, which gets no lease */
    private void answer(ByteBuf b, int at, int len, int type, int address) {
        long mac = DhcpMessage.clientMac(b, at);
        int gateway = plan.gateway().v4Bits();
        boolean broadcast = DhcpMessage.wantsBroadcast(b, at);
        int clientIp = DhcpMessage.clientIp(b, at);
        int shownIp = type == DhcpMessage.OFFER ? 0 : clientIp; // RFC 2131 §4.3.1, table 3
        answer.clear();
        DhcpMessage.write(
                answer, DhcpMessage.BOOT_REPLY, DhcpMessage.xid(b, at), broadcast, shownIp, address, gateway, 0, mac);
        DhcpMessage.writeByteOption(answer, DhcpMessage.OPTION_MESSAGE_TYPE, type);
        DhcpMessage.writeIntOption(answer, DhcpMessage.OPTION_SERVER_ID, gateway);
        if (address != 0) {
            DhcpMessage.writeIntOption(answer, DhcpMessage.OPTION_LEASE_SECONDS, LEASE_SECONDS);
            DhcpMessage.writeIntOption(answer, DhcpMessage.OPTION_RENEWAL_SECONDS, LEASE_SECONDS / 2);
            DhcpMessage.writeIntOption(answer, DhcpMessage.OPTION_REBINDING_SECONDS, LEASE_SECONDS / 8 * 7);
        }
        DhcpMessage.writeIntOption(answer, DhcpMessage.OPTION_SUBNET_MASK, plan.mask());
        DhcpMessage.writeIntOption(answer, DhcpMessage.OPTION_ROUTER, gateway);
        DhcpMessage.writeIntOption(answer, DhcpMessage.OPTION_DNS, plan.dns().v4Bits());
        DhcpMessage.writeShortOption(answer, DhcpMessage.OPTION_MTU, mtu);
        DhcpMessage.writeIntOption(answer, DhcpMessage.OPTION_BROADCAST, plan.broadcast());
        writeClientId(b, at, len);
        int most = Math.max(
                DhcpMessage.LEAST_MAX_MESSAGE,
                Math.min(mtu, DhcpMessage.shortOption(b, at, len, DhcpMessage.OPTION_MAX_MESSAGE, 0)));
        writeDomains(most - Ipv4Header.MIN_BYTES - UdpHeader.BYTES - answer.writerIndex() - 1);
        DhcpMessage.writeEnd(answer, 0);
        if (clientIp != 0) {
            send(mac, clientIp);
        } else if (broadcast || address == 0) {
            send(EthernetHeader.BROADCAST, -1);
        } else {
            send(mac, address);
        }
    }

    /** RFC 6842 §3: as it came, in every answer. */
    private void writeClientId(ByteBuf b, int at, int len) {
        int value = DhcpMessage.option(b, at, len, DhcpMessage.OPTION_CLIENT_ID);
        if (value >= 0) {
            DhcpMessage.copyOption(answer, DhcpMessage.OPTION_CLIENT_ID, b, value);
        }
    }

    /** The host's search list, and its first domain as the guest's own, as far as there are {@code room} bytes. */
    private void writeDomains(int room) {
        List<String> domains = searchDomains.get();
        if (domains.isEmpty()) {
            return;
        }
        byte[] first = domains.getFirst().getBytes(StandardCharsets.US_ASCII);
        int left = room;
        if (first.length <= DhcpMessage.MAX_OPTION_BYTES && first.length + 2 <= left) {
            DhcpMessage.writeBytesOption(answer, DhcpMessage.OPTION_DOMAIN_NAME, first);
            left -= first.length + 2;
        }
        int written = DhcpMessage.writeDomainSearch(answer, domains, left);
        if (written < domains.size() && !domains.equals(tooLong)) {
            tooLong = domains; // once for each list
            LOG.warn(
                    "of the host's search domains {} the guest gets the first {} by DHCP: more do not fit",
                    domains,
                    written);
        }
    }

    /** Always by broadcast: the address the station believes in may be anything. */
    private void nak(ByteBuf b, int at, int len) {
        answer.clear();
        long mac = DhcpMessage.clientMac(b, at);
        DhcpMessage.write(answer, DhcpMessage.BOOT_REPLY, DhcpMessage.xid(b, at), true, 0, 0, 0, 0, mac);
        DhcpMessage.writeByteOption(answer, DhcpMessage.OPTION_MESSAGE_TYPE, DhcpMessage.NAK);
        DhcpMessage.writeIntOption(
                answer, DhcpMessage.OPTION_SERVER_ID, plan.gateway().v4Bits());
        DhcpMessage.writeBytesOption(
                answer, DhcpMessage.OPTION_MESSAGE, "not your address".getBytes(StandardCharsets.US_ASCII));
        writeClientId(b, at, len);
        DhcpMessage.writeEnd(answer, 0);
        send(EthernetHeader.BROADCAST, -1);
    }

    /** A guest's driver may not complete checksums before it has an address: always complete. */
    private void send(long mac, int address) {
        int gateway = plan.gateway().v4Bits();
        OutFrame out = output.beginToMac(mac, gateway, address, IpProtocol.UDP);
        ByteBuf head = out.head();
        int udpAt = head.writerIndex();
        int udpBytes = UdpHeader.BYTES + answer.writerIndex();
        UdpHeader.write(head, DhcpMessage.SERVER_PORT, DhcpMessage.CLIENT_PORT, udpBytes);
        out.addPayload(answer, 0, answer.writerIndex());
        long pseudo = Checksum.pseudoHeader(
                0, IpAddress.loOfV4(gateway), 0, IpAddress.loOfV4(address), IpProtocol.UDP, udpBytes);
        UdpHeader.setChecksum(
                head,
                udpAt,
                pseudo + Checksum.sum(head, udpAt, UdpHeader.BYTES) + Checksum.sum(answer, 0, answer.writerIndex()));
        if (!output.end(out)) { // asked for again
            counters.increment(GatewayCounter.DHCP_NO_ROOM);
        }
        out.clear();
    }

    /** Releases its buffer. */
    public void close() {
        answer.release();
    }
}
