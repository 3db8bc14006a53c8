package dev.longshore.packet.wire;

import io.netty.buffer.ByteBuf;

/**
 * ARP for IPv4 over Ethernet at index {@code at} of a buffer: RFC 826.
 *
 * <pre>
 *  0        2        4   5   6       8             14            18            24
 * | hw = 1 | 0x0800 | 6 | 4 |  op   | sender MAC  | sender IPv4 | target MAC  | target IPv4 |
 * </pre>
 *
 * Once {@link #isValid} is true, no accessor reads outside the packet. Padding after it is normal.
 */
public final class ArpPacket {
    public static final int BYTES = 28;
    public static final int REQUEST = 1;
    public static final int REPLY = 2;

    private ArpPacket() {}

    /** True if {@code len} bytes are readable at {@code at} and hold an Ethernet/IPv4 ARP packet. */
    public static boolean isValid(ByteBuf b, int at, int len) {
        return len >= BYTES
                && len <= b.writerIndex() - at
                && b.getInt(at) == 0x0001_0800
                && b.getUnsignedShort(at + 4) == 0x0604;
    }

    public static int operation(ByteBuf b, int at) {
        return b.getUnsignedShort(at + 6);
    }

    public static long senderMac(ByteBuf b, int at) {
        return EthernetHeader.mac(b, at + 8);
    }

    /** Four bytes, big endian; 0 in a probe (RFC 5227). */
    public static int senderIp(ByteBuf b, int at) {
        return b.getInt(at + 14);
    }

    public static long targetMac(ByteBuf b, int at) {
        return EthernetHeader.mac(b, at + 18);
    }

    public static int targetIp(ByteBuf b, int at) {
        return b.getInt(at + 24);
    }

    /** Appends a packet to {@code b}. */
    public static void write(ByteBuf b, int operation, long senderMac, int senderIp, long targetMac, int targetIp) {
        b.writeInt(0x0001_0800);
        b.writeShort(0x0604);
        b.writeShort(operation);
        b.writeShort((int) (senderMac >>> 32));
        b.writeInt((int) senderMac);
        b.writeInt(senderIp);
        b.writeShort((int) (targetMac >>> 32));
        b.writeInt((int) targetMac);
        b.writeInt(targetIp);
    }
}
