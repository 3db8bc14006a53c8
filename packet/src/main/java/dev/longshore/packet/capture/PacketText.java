package dev.longshore.packet.capture;

import dev.longshore.packet.wire.ArpPacket;
import dev.longshore.packet.wire.DnsMessage;
import dev.longshore.packet.wire.EthernetHeader;
import dev.longshore.packet.wire.IcmpHeader;
import dev.longshore.packet.wire.Icmpv6Header;
import dev.longshore.packet.wire.IpAddress;
import dev.longshore.packet.wire.IpProtocol;
import dev.longshore.packet.wire.TcpHeader;
import io.netty.buffer.ByteBuf;
import java.util.Locale;

/** A frame as one line for people, in tcpdump's manner. Reads nothing outside the bytes it is given. */
public final class PacketText {
    private static final int DNS_PORT = 53;

    private PacketText() {}

    /** Of a frame of {@code frameBytes}, the first {@code len} of which are at {@code at}. Borrows. */
    public static String of(ByteBuf b, int at, int len, int frameBytes) {
        FrameFields f = new FrameFields();
        f.read(b, at, len);
        if (f.etherType == FrameFields.NONE) {
            return "Ethernet, cut after " + len + " bytes";
        }
        if (f.etherType == EthernetHeader.TYPE_ARP && f.hasAddresses) {
            return arp(b, at + EthernetHeader.BYTES);
        }
        if (f.version == FrameFields.NONE) {
            return EthernetHeader.toText(EthernetHeader.source(b, at)) + " > "
                    + EthernetHeader.toText(EthernetHeader.destination(b, at)) + ", ethertype "
                    + String.format(Locale.ROOT, "0x%04x", f.etherType) + ", length " + frameBytes;
        }
        String ends = (f.version == 4 ? "IP " : "IP6 ") + end(f.sourceHi, f.sourceLo, f.sourcePort) + " > "
                + end(f.destinationHi, f.destinationLo, f.destinationPort) + ": ";
        return ends + transport(f, b, at + len);
    }

    private static String end(long hi, long lo, int port) {
        String address = new IpAddress(hi, lo).toString();
        return port == FrameFields.NONE ? address : address + "." + port;
    }

    private static String arp(ByteBuf b, int at) {
        String sender = IpAddress.v4(ArpPacket.senderIp(b, at)).toString();
        String target = IpAddress.v4(ArpPacket.targetIp(b, at)).toString();
        return switch (ArpPacket.operation(b, at)) {
            case ArpPacket.REQUEST -> "ARP, who has " + target + "? tell " + sender;
            case ArpPacket.REPLY -> "ARP, " + sender + " is at " + EthernetHeader.toText(ArpPacket.senderMac(b, at));
            default -> "ARP, operation " + ArpPacket.operation(b, at);
        };
    }

    private static String transport(FrameFields f, ByteBuf b, int end) {
        int there = f.transportAt == FrameFields.NONE ? 0 : Math.clamp(end - f.transportAt, 0, f.transportBytes);
        if (f.fragmentOffset > 0) {
            return protocol(f.protocol) + " fragment at " + f.fragmentOffset + ", length " + f.transportBytes;
        }
        String text =
                switch (f.protocol) {
                    case IpProtocol.TCP -> tcp(f, b, there);
                    case IpProtocol.UDP -> udp(f, b, there);
                    case IpProtocol.ICMP -> icmp(f, b, there);
                    case IpProtocol.ICMPV6 -> icmp6(f, b, there);
                    default -> protocol(f.protocol) + ", length " + f.transportBytes;
                };
        return f.fragment ? text + " (first fragment)" : text;
    }

    private static String protocol(int protocol) {
        return switch (protocol) {
            case IpProtocol.TCP -> "TCP";
            case IpProtocol.UDP -> "UDP";
            case IpProtocol.ICMP -> "ICMP";
            case IpProtocol.ICMPV6 -> "ICMP6";
            default -> "protocol " + protocol;
        };
    }

    private static String tcp(FrameFields f, ByteBuf b, int there) {
        int at = f.transportAt;
        if (there < TcpHeader.MIN_BYTES) {
            return "TCP, cut";
        }
        int flags = TcpHeader.flags(b, at);
        int payload = Math.max(0, f.transportBytes - TcpHeader.headerBytes(b, at));
        StringBuilder text = new StringBuilder("Flags [").append(flags(flags)).append("], seq ");
        text.append(Integer.toUnsignedString(TcpHeader.seq(b, at)));
        if ((flags & TcpHeader.ACK) != 0) {
            text.append(", ack ").append(Integer.toUnsignedString(TcpHeader.ack(b, at)));
        }
        return text.append(", win ")
                .append(TcpHeader.window(b, at))
                .append(", length ")
                .append(payload)
                .toString();
    }

    private static String flags(int flags) {
        StringBuilder text = new StringBuilder();
        String letters = "FSRP.U"; // from the lowest bit up
        for (int i = 0; i < letters.length(); i++) {
            if ((flags & 1 << i) != 0) {
                text.append(letters.charAt(i));
            }
        }
        return text.isEmpty() ? "none" : text.toString();
    }

    private static String udp(FrameFields f, ByteBuf b, int there) {
        int dnsAt = f.transportAt + 8;
        int dnsBytes = there - 8;
        boolean dns = (f.sourcePort == DNS_PORT || f.destinationPort == DNS_PORT)
                && dnsBytes >= DnsMessage.HEADER_BYTES
                && DnsMessage.isValid(b, dnsAt, dnsBytes);
        String text = "UDP, length " + Math.max(0, f.transportBytes - 8);
        return dns ? text + dns(b, dnsAt, dnsBytes) : text;
    }

    private static String dns(ByteBuf b, int at, int len) {
        String name =
                DnsMessage.questions(b, at) == 0 ? null : DnsMessage.name(b, at, len, at + DnsMessage.HEADER_BYTES);
        String what = DnsMessage.isResponse(b, at)
                ? "answer, code " + DnsMessage.rcode(b, at) + ", " + DnsMessage.answers(b, at) + " records"
                : "question";
        return ", DNS " + DnsMessage.id(b, at) + " " + what + (name == null ? "" : ", " + printable(name));
    }

    /** A name is the sender's: it must not reach a terminal's control sequences. */
    private static String printable(String name) {
        return name.replaceAll("[^\\x21-\\x7e]", "?");
    }

    private static String icmp(FrameFields f, ByteBuf b, int there) {
        int at = f.transportAt;
        if (there < IcmpHeader.BYTES) {
            return "ICMP, cut";
        }
        return switch (IcmpHeader.type(b, at)) {
            case IcmpHeader.ECHO_REQUEST ->
                echo("ICMP echo request", f, IcmpHeader.identifier(b, at), IcmpHeader.sequence(b, at));
            case IcmpHeader.ECHO_REPLY ->
                echo("ICMP echo reply", f, IcmpHeader.identifier(b, at), IcmpHeader.sequence(b, at));
            default ->
                "ICMP type " + IcmpHeader.type(b, at) + " code " + IcmpHeader.code(b, at) + ", length "
                        + f.transportBytes;
        };
    }

    private static String icmp6(FrameFields f, ByteBuf b, int there) {
        int at = f.transportAt;
        if (there < Icmpv6Header.BYTES) {
            return "ICMP6, cut";
        }
        return switch (Icmpv6Header.type(b, at)) {
            case Icmpv6Header.ECHO_REQUEST ->
                echo("ICMP6 echo request", f, Icmpv6Header.identifier(b, at), Icmpv6Header.sequence(b, at));
            case Icmpv6Header.ECHO_REPLY ->
                echo("ICMP6 echo reply", f, Icmpv6Header.identifier(b, at), Icmpv6Header.sequence(b, at));
            default ->
                "ICMP6 type " + Icmpv6Header.type(b, at) + " code " + Icmpv6Header.code(b, at) + ", length "
                        + f.transportBytes;
        };
    }

    private static String echo(String what, FrameFields f, int identifier, int sequence) {
        return what + ", id " + identifier + ", seq " + sequence + ", length " + f.transportBytes;
    }
}
