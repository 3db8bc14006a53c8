package dev.longshore.packet.wire;

import io.netty.buffer.ByteBuf;
import java.util.List;

/**
 * Neighbor discovery at index {@code at} of a buffer, inside ICMPv6: RFC 4861 §4; DNS options: RFC 8106 §5.
 *
 * <pre>
 *  0               8               16                             31
 * |     type      |     code 0    |            checksum            |  0
 * |  NA: R S O flags; RA: hop limit, M O flags, router lifetime    |  4
 * |  NS, NA: target address, 16 bytes; RA: reachable, retransmit   |  8
 * |  options from 24 (NS, NA), 16 (RA), 8 (RS):                    |
 * |     type      |   length / 8  |   value …                      |
 * </pre>
 *
 * Once {@link #isValid} is true, no accessor of that type reads outside the message.
 */
public final class NdpMessage {
    public static final int ROUTER_SOLICITATION = 133;
    public static final int ROUTER_ADVERTISEMENT = 134;
    public static final int NEIGHBOR_SOLICITATION = 135;
    public static final int NEIGHBOR_ADVERTISEMENT = 136;
    public static final int REDIRECT = 137;

    /** Every message has it, so that a receiver knows that no router was in between: RFC 4861 §11.2. */
    public static final int HOP_LIMIT = 255;

    public static final int OPTION_SOURCE_LINK = 1;
    public static final int OPTION_TARGET_LINK = 2;
    public static final int OPTION_PREFIX = 3;
    public static final int OPTION_MTU = 5;
    public static final int OPTION_RDNSS = 25;
    public static final int OPTION_DNSSL = 31;

    /** Flags of a neighbor advertisement. */
    public static final int FLAG_ROUTER = 0x8000_0000;

    public static final int FLAG_SOLICITED = 0x4000_0000;
    public static final int FLAG_OVERRIDE = 0x2000_0000;

    /** Flags of a router advertisement: addresses, and other things, by DHCPv6. */
    public static final int FLAG_MANAGED = 0x80;

    public static final int FLAG_OTHER = 0x40;

    /** Flags of a prefix: RFC 4861 §4.6.2. */
    public static final int PREFIX_ON_LINK = 0x80;

    public static final int PREFIX_AUTONOMOUS = 0x40;

    /** A lifetime that never ends. */
    public static final int INFINITE = 0xFFFF_FFFF;

    private NdpMessage() {}

    /**
     * True if {@code len} bytes are readable at {@code at} and hold a message of one of the five types whose options all
     * have a length and fit (RFC 4861 §6.1, §7.1). Code, hop limit and checksum are the caller's to check.
     */
    public static boolean isValid(ByteBuf b, int at, int len) {
        if (len < 8 || len > b.writerIndex() - at) {
            return false;
        }
        int options = optionsAt(Icmpv6Header.type(b, at));
        if (options < 0 || len < options) {
            return false;
        }
        int i = options;
        while (i < len) {
            int bytes = i + 2 <= len ? b.getUnsignedByte(at + i + 1) << 3 : 0;
            if (bytes == 0 || i + bytes > len) {
                return false;
            }
            i += bytes;
        }
        return true;
    }

    private static int optionsAt(int type) {
        return switch (type) {
            case ROUTER_SOLICITATION -> 8;
            case ROUTER_ADVERTISEMENT -> 16;
            case NEIGHBOR_SOLICITATION, NEIGHBOR_ADVERTISEMENT -> 24;
            case REDIRECT -> 40;
            default -> -1;
        };
    }

    /** NS and NA. */
    public static long targetHi(ByteBuf b, int at) {
        return b.getLong(at + 8);
    }

    /** NS and NA. */
    public static long targetLo(ByteBuf b, int at) {
        return b.getLong(at + 16);
    }

    /** NA: {@link #FLAG_ROUTER}, {@link #FLAG_SOLICITED}, {@link #FLAG_OVERRIDE}. */
    public static int flags(ByteBuf b, int at) {
        return b.getInt(at + 4) & 0xE000_0000;
    }

    /** RA: seconds, 0..65535; 0 says that this is no default router. */
    public static int routerLifetime(ByteBuf b, int at) {
        return b.getUnsignedShort(at + 6);
    }

    /** RA: {@link #FLAG_MANAGED}, {@link #FLAG_OTHER}. */
    public static int routerFlags(ByteBuf b, int at) {
        return b.getUnsignedByte(at + 5);
    }

    /** Index of the type byte of the first option {@code type} of a valid message, or -1. */
    public static int option(ByteBuf b, int at, int len, int type) {
        int end = at + len;
        int i = at + optionsAt(Icmpv6Header.type(b, at));
        while (i < end) {
            if (b.getUnsignedByte(i) == type) {
                return i;
            }
            i += b.getUnsignedByte(i + 1) << 3;
        }
        return -1;
    }

    /** The Ethernet address in the first option {@code type} (RFC 2464 §6), or -1 if there is none. */
    public static long linkAddress(ByteBuf b, int at, int len, int type) {
        int i = option(b, at, len, type);
        return i >= 0 ? EthernetHeader.mac(b, i + 2) : -1;
    }

    /** Appends a neighbor solicitation without options and with checksum 0. */
    public static void writeSolicitation(ByteBuf b, long targetHi, long targetLo) {
        Icmpv6Header.write(b, NEIGHBOR_SOLICITATION, 0, 0);
        b.writeLong(targetHi).writeLong(targetLo);
    }

    /** Appends a neighbor advertisement without options and with checksum 0. */
    public static void writeAdvertisement(ByteBuf b, int flags, long targetHi, long targetLo) {
        Icmpv6Header.write(b, NEIGHBOR_ADVERTISEMENT, 0, flags);
        b.writeLong(targetHi).writeLong(targetLo);
    }

    /**
     * Appends a router advertisement without options and with checksum 0; reachable time and retransmission timer are
     * left to the hosts.
     *
     * @param lifetimeSeconds 0..65535
     */
    public static void writeRouterAdvertisement(ByteBuf b, int hopLimit, int flags, int lifetimeSeconds) {
        Icmpv6Header.write(b, ROUTER_ADVERTISEMENT, 0, hopLimit << 24 | flags << 16 | lifetimeSeconds);
        b.writeLong(0);
    }

    /** Appends {@link #OPTION_SOURCE_LINK} or {@link #OPTION_TARGET_LINK}: RFC 4861 §4.6.1. */
    public static void writeLinkAddress(ByteBuf b, int type, long mac) {
        b.writeByte(type).writeByte(1);
        b.writeShort((int) (mac >>> 32)).writeInt((int) mac);
    }

    /** Appends a prefix of 64 bits: RFC 4861 §4.6.2; lifetimes in seconds. */
    public static void writePrefix(ByteBuf b, int flags, int validSeconds, int preferredSeconds, long prefixHi) {
        b.writeByte(OPTION_PREFIX).writeByte(4).writeByte(64).writeByte(flags);
        b.writeInt(validSeconds).writeInt(preferredSeconds).writeInt(0);
        b.writeLong(prefixHi).writeLong(0);
    }

    /** Appends the link's MTU: RFC 4861 §4.6.4. */
    public static void writeMtu(ByteBuf b, int mtu) {
        b.writeByte(OPTION_MTU).writeByte(1).writeShort(0).writeInt(mtu);
    }

    /** Appends one recursive name server: RFC 8106 §5.1. */
    public static void writeRdnss(ByteBuf b, int lifetimeSeconds, long hi, long lo) {
        b.writeByte(OPTION_RDNSS).writeByte(3).writeShort(0).writeInt(lifetimeSeconds);
        b.writeLong(hi).writeLong(lo);
    }

    /**
     * Appends search domains: RFC 8106 §5.2. Each is ASCII without an empty label; they fit in 2,032 bytes, which the
     * caller sees to. Nothing without a domain.
     */
    public static void writeDnssl(ByteBuf b, int lifetimeSeconds, List<String> domains) {
        if (domains.isEmpty()) {
            return;
        }
        int start = b.writerIndex();
        b.writeByte(OPTION_DNSSL).writeByte(0).writeShort(0).writeInt(lifetimeSeconds);
        domains.forEach(domain -> DnsMessage.writeName(b, domain));
        b.writeZero(-(b.writerIndex() - start) & 7);
        b.setByte(start + 1, (b.writerIndex() - start) >> 3);
    }
}
