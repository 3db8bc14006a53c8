package dev.longshore.packet.capture;

import dev.longshore.packet.wire.EthernetHeader;
import dev.longshore.packet.wire.IpAddress;
import dev.longshore.packet.wire.IpProtocol;
import dev.longshore.packet.wire.Ipv6Extension;
import io.netty.buffer.ByteBuf;

/**
 * What filters and texts ask of a frame, read once. Needs only the headers: a frame may be cut behind them, and its lengths
 * may be wrong. Reads nothing outside the bytes it is given. Confined to its owner's thread; used over and over.
 */
final class FrameFields {
    /** No such field in this frame. */
    static final int NONE = -1;

    private static final int ARP_BYTES = 28;
    private static final int IPV4_MIN_BYTES = 20;
    private static final int IPV6_BYTES = 40;
    private static final int MAX_EXTENSIONS = 8;

    /** The type field, or {@link #NONE} for less than an Ethernet header. */
    int etherType;

    /** 4, 6, or {@link #NONE}. */
    int version;

    /** IPv4's protocol, or IPv6's last next header; {@link #NONE} without IP. */
    int protocol;

    /** Of IP, or of ARP's sender and target. */
    boolean hasAddresses;

    long sourceHi;
    long sourceLo;
    long destinationHi;
    long destinationLo;

    /** Of TCP and UDP in a first fragment or none; else {@link #NONE}. */
    int sourcePort;

    int destinationPort;

    /** True for all fragments, the first one too. */
    boolean fragment;

    /** In bytes; 0 for no fragment. */
    int fragmentOffset;

    /** Index of the transport's header, or {@link #NONE}. */
    int transportAt;

    /** Bytes from {@link #transportAt} on that IP's length claims; they may not all be there. */
    int transportBytes;

    /** Reads {@code len} bytes at {@code at}. Borrows. */
    void read(ByteBuf b, int at, int len) {
        clear();
        if (len < EthernetHeader.BYTES) {
            return;
        }
        etherType = EthernetHeader.type(b, at);
        int payloadAt = at + EthernetHeader.BYTES;
        int end = at + len;
        switch (etherType) {
            case EthernetHeader.TYPE_IPV4 -> ipv4(b, payloadAt, end);
            case EthernetHeader.TYPE_IPV6 -> ipv6(b, payloadAt, end);
            case EthernetHeader.TYPE_ARP -> arp(b, payloadAt, end);
            default -> {
                // Nothing more is asked of other types.
            }
        }
    }

    private void clear() {
        etherType = NONE;
        version = NONE;
        protocol = NONE;
        hasAddresses = false;
        sourcePort = NONE;
        destinationPort = NONE;
        fragment = false;
        fragmentOffset = 0;
        transportAt = NONE;
        transportBytes = 0;
    }

    private void arp(ByteBuf b, int at, int end) {
        if (end - at < ARP_BYTES) {
            return;
        }
        addressesV4(b.getInt(at + 14), b.getInt(at + 24));
    }

    private void addressesV4(int source, int destination) {
        hasAddresses = true;
        sourceHi = 0;
        sourceLo = IpAddress.loOfV4(source);
        destinationHi = 0;
        destinationLo = IpAddress.loOfV4(destination);
    }

    private void ipv4(ByteBuf b, int at, int end) {
        if (end - at < IPV4_MIN_BYTES || b.getByte(at) >>> 4 != 4) {
            return;
        }
        version = 4;
        protocol = b.getUnsignedByte(at + 9);
        addressesV4(b.getInt(at + 12), b.getInt(at + 16));
        int headerBytes = (b.getByte(at) & 0xF) * 4;
        int flags = b.getUnsignedShort(at + 6);
        fragment = (flags & 0x3FFF) != 0;
        fragmentOffset = (flags & 0x1FFF) * 8;
        if (headerBytes >= IPV4_MIN_BYTES && at + headerBytes <= end) {
            transport(b, at + headerBytes, b.getUnsignedShort(at + 2) - headerBytes, end);
        }
    }

    private void ipv6(ByteBuf b, int at, int end) {
        if (end - at < IPV6_BYTES || (b.getByte(at) & 0xF0) != 0x60) {
            return;
        }
        version = 6;
        hasAddresses = true;
        sourceHi = b.getLong(at + 8);
        sourceLo = b.getLong(at + 16);
        destinationHi = b.getLong(at + 24);
        destinationLo = b.getLong(at + 32);
        protocol = b.getUnsignedByte(at + 6);
        int next = at + IPV6_BYTES;
        int payloadEnd = next + b.getUnsignedShort(at + 4);
        for (int i = 0; i < MAX_EXTENSIONS && isExtension(protocol) && end - next >= 8; i++) {
            if (protocol == Ipv6Extension.FRAGMENT) {
                fragment = true;
                fragmentOffset = b.getUnsignedShort(next + 2) & 0xFFF8;
            }
            int bytes = protocol == Ipv6Extension.FRAGMENT ? 8 : 8 + 8 * b.getUnsignedByte(next + 1);
            protocol = b.getUnsignedByte(next);
            next += bytes;
        }
        if (next <= end && !isExtension(protocol)) {
            transport(b, next, payloadEnd - next, end);
        }
    }

    private static boolean isExtension(int protocol) {
        return protocol == Ipv6Extension.HOP_BY_HOP
                || protocol == Ipv6Extension.ROUTING
                || protocol == Ipv6Extension.FRAGMENT
                || protocol == Ipv6Extension.DESTINATION_OPTIONS;
    }

    private void transport(ByteBuf b, int at, int claimed, int end) {
        transportAt = at;
        transportBytes = Math.max(0, claimed);
        boolean ports = protocol == IpProtocol.TCP || protocol == IpProtocol.UDP;
        if (ports && fragmentOffset == 0 && end - at >= 4) {
            sourcePort = b.getUnsignedShort(at);
            destinationPort = b.getUnsignedShort(at + 2);
        }
    }
}
