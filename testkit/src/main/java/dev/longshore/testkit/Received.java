package dev.longshore.testkit;

import dev.longshore.packet.wire.ArpPacket;
import dev.longshore.packet.wire.Checksum;
import dev.longshore.packet.wire.EthernetHeader;
import dev.longshore.packet.wire.IcmpHeader;
import dev.longshore.packet.wire.Icmpv6Header;
import dev.longshore.packet.wire.IpAddress;
import dev.longshore.packet.wire.IpProtocol;
import dev.longshore.packet.wire.Ipv4Header;
import dev.longshore.packet.wire.Ipv6Extension;
import dev.longshore.packet.wire.Ipv6Header;
import dev.longshore.packet.wire.UdpHeader;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;

/**
 * A frame the guest received, checked: lengths, IP checksum, and the transport's checksum unless it is a fragment. Its
 * buffer is on the heap and needs no release. Immutable by convention.
 */
public final class Received {
    private final ByteBuf frame;
    private final int type;
    private final int protocol;
    private final int transportAt;
    private final int transportLen;

    /** Index of an IPv6 fragment header, or -1. */
    private int fragmentAt = -1;

    Received(ByteBuf frame) {
        this.frame = frame;
        int len = frame.readableBytes();
        check(EthernetHeader.isValid(frame, 0, len), "Ethernet header");
        type = EthernetHeader.type(frame, 0);
        int at = EthernetHeader.BYTES;
        switch (type) {
            case EthernetHeader.TYPE_IPV4 -> {
                check(Ipv4Header.isValid(frame, at, len - at), "IPv4 header");
                check(Ipv4Header.totalLength(frame, at) == len - at, "IPv4 total length");
                check(Ipv4Header.isChecksumRight(frame, at), "IPv4 checksum");
                check(Ipv4Header.ttl(frame, at) > 0, "TTL 0");
                protocol = Ipv4Header.protocol(frame, at);
                transportAt = at + Ipv4Header.headerBytes(frame, at);
                transportLen = Ipv4Header.totalLength(frame, at) - Ipv4Header.headerBytes(frame, at);
                if (!Ipv4Header.isFragment(frame, at)) {
                    checkTransport();
                }
            }
            case EthernetHeader.TYPE_IPV6 -> {
                check(Ipv6Header.isValid(frame, at, len - at), "IPv6 header");
                check(Ipv6Header.BYTES + Ipv6Header.payloadLength(frame, at) == len - at, "IPv6 payload length");
                check(Ipv6Header.hopLimit(frame, at) > 0, "hop limit 0");
                int next = Ipv6Header.nextHeader(frame, at);
                int payloadAt = at + Ipv6Header.BYTES;
                if (next == Ipv6Extension.FRAGMENT) {
                    fragmentAt = payloadAt;
                    check(len - payloadAt > Ipv6Extension.FRAGMENT_BYTES, "IPv6 fragment");
                    next = Ipv6Extension.nextHeader(frame, payloadAt);
                    payloadAt += Ipv6Extension.FRAGMENT_BYTES;
                }
                protocol = next;
                transportAt = payloadAt;
                transportLen = len - payloadAt;
                if (!isFragment()) {
                    checkTransport();
                }
            }
            case EthernetHeader.TYPE_ARP -> {
                check(ArpPacket.isValid(frame, at, len - at), "ARP packet");
                protocol = -1;
                transportAt = at;
                transportLen = len - at;
            }
            default -> throw new AssertionError("unexpected type " + Integer.toHexString(type) + dump());
        }
    }

    private void checkTransport() {
        switch (protocol) {
            case IpProtocol.ICMP -> {
                check(IcmpHeader.isValid(frame, transportAt, transportLen), "ICMP header");
                check(IcmpHeader.isChecksumRight(frame, transportAt, transportLen), "ICMP checksum");
            }
            case IpProtocol.ICMPV6 -> {
                check(isIpv6(), "ICMPv6 over IPv4");
                check(Icmpv6Header.isValid(frame, transportAt, transportLen), "ICMPv6 header");
                check(sumIsRight(), "ICMPv6 checksum");
            }
            case IpProtocol.UDP -> {
                check(UdpHeader.isValid(frame, transportAt, transportLen), "UDP header");
                check(UdpHeader.length(frame, transportAt) == transportLen, "UDP length");
                check(UdpHeader.checksum(frame, transportAt) != 0, "UDP without a checksum");
                check(sumIsRight(), "UDP checksum");
            }
            case IpProtocol.TCP -> {
                check(transportLen >= 20, "TCP header");
                check(sumIsRight(), "TCP checksum");
            }
            default -> throw new AssertionError("unexpected protocol " + protocol + dump());
        }
    }

    private boolean sumIsRight() {
        long sum = Checksum.pseudoHeader(
                source().hi(), source().lo(), destination().hi(), destination().lo(), protocol, transportLen);
        return Checksum.fold(sum + Checksum.sum(frame, transportAt, transportLen)) == 0xFFFF;
    }

    private void check(boolean condition, String what) {
        if (!condition) {
            throw new AssertionError("the stack sent a bad frame: " + what + dump());
        }
    }

    private String dump() {
        return "\n" + ByteBufUtil.prettyHexDump(frame);
    }

    /** The whole frame, from index 0. */
    public ByteBuf frame() {
        return frame;
    }

    public boolean isArp() {
        return type == EthernetHeader.TYPE_ARP;
    }

    public boolean isIpv6() {
        return type == EthernetHeader.TYPE_IPV6;
    }

    /** Of either family. */
    public boolean isIp(int ipProtocol) {
        return !isArp() && protocol == ipProtocol;
    }

    /** ICMPv6 of this type, whole. */
    public boolean isIcmp6(int icmpType) {
        return isIpv6()
                && protocol == IpProtocol.ICMPV6
                && !isFragment()
                && Icmpv6Header.type(frame, transportAt) == icmpType;
    }

    /** Part of a packet, of either family. */
    public boolean isFragment() {
        return isIpv6() ? fragmentAt >= 0 : type == EthernetHeader.TYPE_IPV4 && Ipv4Header.isFragment(frame, ipAt());
    }

    public boolean moreFragments() {
        return isIpv6()
                ? fragmentAt >= 0 && Ipv6Extension.moreFragments(frame, fragmentAt)
                : Ipv4Header.moreFragments(frame, ipAt());
    }

    public int fragmentOffset() {
        return isIpv6()
                ? fragmentAt < 0 ? 0 : Ipv6Extension.fragmentOffset(frame, fragmentAt)
                : Ipv4Header.fragmentOffset(frame, ipAt());
    }

    public int fragmentId() {
        return isIpv6()
                ? fragmentAt < 0 ? 0 : Ipv6Extension.identification(frame, fragmentAt)
                : Ipv4Header.identification(frame, ipAt());
    }

    public long destinationMac() {
        return EthernetHeader.destination(frame, 0);
    }

    /** Index of the IP header or of the ARP packet. */
    public int ipAt() {
        return EthernetHeader.BYTES;
    }

    /** Index of the transport header. */
    public int transportAt() {
        return transportAt;
    }

    /** Bytes of the transport header and its payload. */
    public int transportLen() {
        return transportLen;
    }

    public IpAddress source() {
        if (isIpv6()) {
            return new IpAddress(Ipv6Header.sourceHi(frame, ipAt()), Ipv6Header.sourceLo(frame, ipAt()));
        }
        return IpAddress.v4(Ipv4Header.source(frame, EthernetHeader.BYTES));
    }

    public IpAddress destination() {
        if (isIpv6()) {
            return new IpAddress(Ipv6Header.destinationHi(frame, ipAt()), Ipv6Header.destinationLo(frame, ipAt()));
        }
        return IpAddress.v4(Ipv4Header.destination(frame, EthernetHeader.BYTES));
    }

    /** The bytes from {@code at} to the end of the transport's payload. */
    public byte[] bytesFrom(int at) {
        return ByteBufUtil.getBytes(frame, at, transportAt + transportLen - at);
    }

    @Override
    public String toString() {
        return (isArp()
                        ? "ARP"
                        : (isIpv6() ? "IPv6" : "IPv4") + " protocol " + protocol + " " + source() + " > "
                                + destination())
                + dump();
    }
}
