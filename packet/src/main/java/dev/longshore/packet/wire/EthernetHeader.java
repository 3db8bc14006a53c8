package dev.longshore.packet.wire;

import io.netty.buffer.ByteBuf;

/**
 * Ethernet II header at index {@code at} of a buffer: IEEE 802.3 clause 3.1.1, RFC 894.
 *
 * <pre>
 *  0                 6                 12      14
 * |   destination   |     source      | type  | payload …
 * </pre>
 *
 * MAC addresses are the low 48 bits of a long. Once {@link #isValid} is true, no accessor reads outside the frame.
 */
public final class EthernetHeader {
    /** Bytes of the header; there is no FCS on our links. */
    public static final int BYTES = 14;

    /** EtherType of IPv4 (IEEE registry). */
    public static final int TYPE_IPV4 = 0x0800;

    /** EtherType of ARP. */
    public static final int TYPE_ARP = 0x0806;

    /** EtherType of IPv6. */
    public static final int TYPE_IPV6 = 0x86DD;

    /** ff:ff:ff:ff:ff:ff. */
    public static final long BROADCAST = 0xFFFF_FFFF_FFFFL;

    private static final long IPV6_GROUP = 0x3333_0000_0000L;
    private static final long GROUP_BIT = 0x0100_0000_0000L;

    private EthernetHeader() {}

    /** True if {@code len} bytes are readable at {@code at} and hold the header. */
    public static boolean isValid(ByteBuf b, int at, int len) {
        return len >= BYTES && len <= b.writerIndex() - at;
    }

    public static long destination(ByteBuf b, int at) {
        return mac(b, at);
    }

    public static long source(ByteBuf b, int at) {
        return mac(b, at + 6);
    }

    public static int type(ByteBuf b, int at) {
        return b.getUnsignedShort(at + 12);
    }

    /** True for multicast and broadcast: the I/G bit. */
    public static boolean isGroup(long mac) {
        return (mac & GROUP_BIT) != 0;
    }

    /** The group to which packets for an IPv6 multicast address go: 33:33 and its last four bytes, RFC 2464 §7. */
    public static long multicastOf(long addressLo) {
        return IPV6_GROUP | (addressLo & 0xFFFF_FFFFL);
    }

    /** True for the groups of {@link #multicastOf}. */
    public static boolean isIpv6Multicast(long mac) {
        return mac >>> 32 == IPV6_GROUP >>> 32;
    }

    public static void setDestination(ByteBuf b, int at, long mac) {
        b.setShort(at, (int) (mac >>> 32));
        b.setInt(at + 2, (int) mac);
    }

    /** Appends the header to {@code b}. */
    public static void write(ByteBuf b, long destination, long source, int type) {
        b.writeShort((int) (destination >>> 32));
        b.writeInt((int) destination);
        b.writeShort((int) (source >>> 32));
        b.writeInt((int) source);
        b.writeShort(type);
    }

    /** The six bytes at {@code at}, for formats that carry a MAC address. */
    static long mac(ByteBuf b, int at) {
        return (long) b.getUnsignedShort(at) << 32 | b.getUnsignedInt(at + 2);
    }

    /** As in {@code 02:4c:53:00:00:01}. */
    public static String toText(long mac) {
        StringBuilder text = new StringBuilder(17);
        for (int shift = 40; shift >= 0; shift -= 8) {
            int octet = (int) (mac >>> shift) & 0xFF;
            text.append(Character.forDigit(octet >>> 4, 16)).append(Character.forDigit(octet & 0xF, 16));
            if (shift > 0) {
                text.append(':');
            }
        }
        return text.toString();
    }
}
