package dev.longshore.vpnkit.gateway;

import dev.longshore.packet.link.OutFrame;
import dev.longshore.packet.wire.Checksum;
import dev.longshore.packet.wire.Dhcpv6Message;
import dev.longshore.packet.wire.EthernetHeader;
import dev.longshore.packet.wire.IpAddress;
import dev.longshore.packet.wire.IpProtocol;
import dev.longshore.packet.wire.UdpHeader;
import dev.longshore.vpnkit.count.Counters;
import dev.longshore.vpnkit.ip.Families;
import dev.longshore.vpnkit.ip.IpPlan;
import dev.longshore.vpnkit.ip.Ipv6Output;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.util.List;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The only DHCPv6 server of its link: RFC 8415 §18.3. One address for each station, in the first association it asks one
 * for; no prefixes to delegate, no temporary addresses; silent while the networking mode has no IPv6. Confined to the link's event loop.
 */
final class Dhcpv6Server {
    private static final Logger LOG = LoggerFactory.getLogger(Dhcpv6Server.class);

    /** As in DHCP: nothing is gained by renewing. */
    static final int LEASE_SECONDS = DhcpServer.LEASE_SECONDS;

    /** Of a kind in one message; more are not looked at. */
    private static final int MAX_ASSOCIATIONS = 8;

    /** Tells a client not to wait for other servers: RFC 8415 §18.2.1. */
    private static final int HIGHEST_PREFERENCE = 255;

    private final IpPlan plan;
    private final Families families;
    private final long ourMac;
    private final Supplier<List<String>> searchDomains;
    private final Ipv6Output output;
    private final Leases6 leases;
    private final Counters<GatewayCounter> counters;
    private final ByteBuf answer = Unpooled.directBuffer(512, 4096);
    private int declinesLogged;

    Dhcpv6Server(
            IpPlan plan,
            Families families,
            long ourMac,
            long guestMac,
            Supplier<List<String>> searchDomains,
            Ipv6Output output,
            Counters<GatewayCounter> counters) {
        this.plan = plan;
        this.families = families;
        this.ourMac = ourMac;
        this.searchDomains = searchDomains;
        this.output = output;
        this.leases = new Leases6(plan, guestMac);
        this.counters = counters;
    }

    /** A message of {@code len} bytes at {@code at} from this address, whose station is {@code mac}. Borrows. */
    void onMessage(ByteBuf b, int at, int len, long guestHi, long guestLo, long mac) {
        boolean answered = families.hasIpv6()
                && Dhcpv6Message.isValid(b, at, len)
                && mac > 0
                && !EthernetHeader.isGroup(mac)
                && mayAnswer(b, at, len)
                && answer(b, at, len, mac);
        if (!answered) {
            counters.increment(GatewayCounter.DHCP_DROPPED);
            return;
        }
        counters.increment(GatewayCounter.DHCPV6_REPLIES);
        counters.set(GatewayCounter.DHCPV6_LEASES, leases.size());
        send(guestHi, guestLo);
    }

    /** RFC 8415 §16: who must name the server, who must not, and that it is us. */
    private boolean mayAnswer(ByteBuf b, int at, int len) {
        int client = Dhcpv6Message.option(b, at, len, Dhcpv6Message.OPTION_CLIENT_ID);
        int server = Dhcpv6Message.option(b, at, len, Dhcpv6Message.OPTION_SERVER_ID);
        boolean toUs = server >= 0 && Dhcpv6Message.isLinkLayerDuid(b, server, Dhcpv6Message.length(b, server), ourMac);
        boolean named = client >= 0 && Dhcpv6Message.length(b, client) <= Dhcpv6Message.MAX_DUID_BYTES;
        return switch (Dhcpv6Message.type(b, at)) {
            case Dhcpv6Message.SOLICIT, Dhcpv6Message.CONFIRM, Dhcpv6Message.REBIND -> named && server < 0;
            case Dhcpv6Message.REQUEST, Dhcpv6Message.RENEW, Dhcpv6Message.RELEASE, Dhcpv6Message.DECLINE ->
                named && toUs;
            case Dhcpv6Message.INFORMATION_REQUEST ->
                (client < 0 || named)
                        && (server < 0 || toUs)
                        && Dhcpv6Message.option(b, at, len, Dhcpv6Message.OPTION_IA_NA) < 0;
            default -> false;
        };
    }

    /** False if there is nothing to answer. */
    private boolean answer(ByteBuf b, int at, int len, long mac) {
        int type = Dhcpv6Message.type(b, at);
        boolean rapid = type == Dhcpv6Message.SOLICIT
                && Dhcpv6Message.option(b, at, len, Dhcpv6Message.OPTION_RAPID_COMMIT) >= 0;
        begin(b, at, len, type == Dhcpv6Message.SOLICIT && !rapid ? Dhcpv6Message.ADVERTISE : Dhcpv6Message.REPLY);
        switch (type) {
            case Dhcpv6Message.SOLICIT, Dhcpv6Message.REQUEST, Dhcpv6Message.RENEW, Dhcpv6Message.REBIND -> {
                if (rapid) {
                    Dhcpv6Message.endOption(
                            answer, Dhcpv6Message.beginOption(answer, Dhcpv6Message.OPTION_RAPID_COMMIT));
                }
                if (type == Dhcpv6Message.SOLICIT) {
                    int preference = Dhcpv6Message.beginOption(answer, Dhcpv6Message.OPTION_PREFERENCE);
                    answer.writeByte(HIGHEST_PREFERENCE);
                    Dhcpv6Message.endOption(answer, preference);
                }
                writeAssociations(b, at, len, mac);
                writeConfiguration();
            }
            case Dhcpv6Message.CONFIRM -> {
                int onLink = onLink(b, at, len);
                if (onLink < 0) {
                    return false; // §18.3.3: no address to say anything about
                }
                Dhcpv6Message.writeStatus(
                        answer, onLink > 0 ? Dhcpv6Message.STATUS_SUCCESS : Dhcpv6Message.STATUS_NOT_ON_LINK);
            }
            case Dhcpv6Message.RELEASE -> {
                leases.release(mac);
                Dhcpv6Message.writeStatus(answer, Dhcpv6Message.STATUS_SUCCESS);
            }
            case Dhcpv6Message.DECLINE -> {
                counters.increment(GatewayCounter.DHCP_DECLINED);
                if (declinesLogged
                        < DhcpServer.DECLINES_LOGGED) { // a guest can repeat it: the log must not grow with it
                    declinesLogged++;
                    LOG.warn(
                            "the guest {} says that its IPv6 address is in use: look for a second network card with it",
                            EthernetHeader.toText(mac));
                }
                leases.decline(mac);
                Dhcpv6Message.writeStatus(answer, Dhcpv6Message.STATUS_SUCCESS);
            }
            default -> writeConfiguration(); // information request
        }
        return true;
    }

    private void begin(ByteBuf b, int at, int len, int type) {
        answer.clear();
        Dhcpv6Message.write(answer, type, Dhcpv6Message.transaction(b, at));
        int client = Dhcpv6Message.option(b, at, len, Dhcpv6Message.OPTION_CLIENT_ID);
        if (client >= 0) {
            Dhcpv6Message.writeOption(
                    answer, Dhcpv6Message.OPTION_CLIENT_ID, b, client, Dhcpv6Message.length(b, client));
        }
        Dhcpv6Message.writeLinkLayerDuid(answer, Dhcpv6Message.OPTION_SERVER_ID, ourMac);
    }

    /** The station's address in the first association, "no addresses" and "no prefixes" in all others. */
    private void writeAssociations(ByteBuf b, int at, int len, long mac) {
        int end = at + len;
        int i = at + Dhcpv6Message.OPTIONS_AT;
        boolean given = false;
        for (int n = 0; n < MAX_ASSOCIATIONS && i < end; ) {
            int code = b.getUnsignedShort(i);
            int value = i + 4;
            i = value + Dhcpv6Message.length(b, value);
            boolean association = (code == Dhcpv6Message.OPTION_IA_NA || code == Dhcpv6Message.OPTION_IA_PD)
                    && i - value >= Dhcpv6Message.IA_BYTES;
            if (association) {
                n++;
                boolean addresses = code == Dhcpv6Message.OPTION_IA_NA;
                int address = addresses && !given ? leases.lease(mac) : Leases6.NONE;
                given |= address != Leases6.NONE;
                writeAssociation(code, b.getInt(value), address);
            }
        }
    }

    private void writeAssociation(int code, int id, int address) {
        int value = Dhcpv6Message.beginOption(answer, code);
        answer.writeInt(id);
        if (address == Leases6.NONE) {
            answer.writeLong(0);
            boolean prefix = code == Dhcpv6Message.OPTION_IA_PD;
            Dhcpv6Message.writeStatus(
                    answer, prefix ? Dhcpv6Message.STATUS_NO_PREFIX : Dhcpv6Message.STATUS_NO_ADDRESSES);
        } else {
            answer.writeInt(LEASE_SECONDS / 2).writeInt(LEASE_SECONDS / 5 * 4);
            Dhcpv6Message.writeAddress(answer, plan.ipv6Prefix(), address, LEASE_SECONDS, LEASE_SECONDS);
        }
        Dhcpv6Message.endOption(answer, value);
    }

    /** 1 if all addresses of the message fit this link, 0 if one does not, -1 if there is none. */
    private int onLink(ByteBuf b, int at, int len) {
        int end = at + len;
        int found = -1;
        int i = at + Dhcpv6Message.OPTIONS_AT;
        while (i < end) {
            int code = b.getUnsignedShort(i);
            int value = i + 4;
            i = value + Dhcpv6Message.length(b, value);
            if (code == Dhcpv6Message.OPTION_IA_NA && i - value >= Dhcpv6Message.IA_BYTES) {
                int address =
                        Dhcpv6Message.optionIn(b, value + Dhcpv6Message.IA_BYTES, i, Dhcpv6Message.OPTION_IA_ADDRESS);
                if (address >= 0 && Dhcpv6Message.length(b, address) >= Dhcpv6Message.IA_ADDRESS_BYTES) {
                    found = b.getLong(address) == plan.ipv6Prefix() && found != 0 ? 1 : 0;
                }
            }
        }
        return found;
    }

    private void writeConfiguration() {
        IpAddress dns = plan.dns6();
        Dhcpv6Message.writeDnsServer(answer, dns.hi(), dns.lo());
        Dhcpv6Message.writeDomains(answer, searchDomains.get());
    }

    /** A guest's driver may not complete checksums before it has an address: always complete. */
    private void send(long guestHi, long guestLo) {
        IpAddress from = IpPlan.LINK_LOCAL;
        OutFrame out = output.begin(from.hi(), from.lo(), guestHi, guestLo, IpProtocol.UDP, 64);
        ByteBuf head = out.head();
        int udpAt = head.writerIndex();
        int udpBytes = UdpHeader.BYTES + answer.writerIndex();
        UdpHeader.write(head, Dhcpv6Message.SERVER_PORT, Dhcpv6Message.CLIENT_PORT, udpBytes);
        out.addPayload(answer, 0, answer.writerIndex());
        long pseudo = Checksum.pseudoHeader(from.hi(), from.lo(), guestHi, guestLo, IpProtocol.UDP, udpBytes);
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
    void close() {
        answer.release();
    }
}
