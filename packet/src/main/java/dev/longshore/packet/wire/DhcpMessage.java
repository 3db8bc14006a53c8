package dev.longshore.packet.wire;

import io.netty.buffer.ByteBuf;
import java.util.List;

/**
 * DHCPv4 message at index {@code at} of a buffer: RFC 2131 §2, Figure 1; options: RFC 2132.
 *
 * <pre>
 *  0               8               16              24             31
 * |      op       |     htype     |     hlen      |      hops      |   0
 * |                              xid                               |   4
 * |             secs              |B|          flags               |   8
 * |   ciaddr (12), yiaddr (16), siaddr (20), giaddr (24)           |  12
 * |   chaddr, 16 bytes (28); sname, 64 (44); file, 128 (108)       |  28
 * |                     magic cookie 63825363                      | 236
 * |   options: code, length, value; 0 pads, 255 ends               | 240
 * </pre>
 *
 * Once {@link #isValid} is true, no accessor reads outside the message. Overloaded options (52) are not looked at.
 */
public final class DhcpMessage {
    /** Where the options start. */
    public static final int OPTIONS_AT = 240;

    public static final int SERVER_PORT = 67;
    public static final int CLIENT_PORT = 68;

    public static final int BOOT_REQUEST = 1;
    public static final int BOOT_REPLY = 2;

    /** Values of {@link #OPTION_MESSAGE_TYPE}: RFC 2132 §9.6. */
    public static final int DISCOVER = 1;

    public static final int OFFER = 2;
    public static final int REQUEST = 3;
    public static final int DECLINE = 4;
    public static final int ACK = 5;
    public static final int NAK = 6;
    public static final int RELEASE = 7;
    public static final int INFORM = 8;

    public static final int OPTION_SUBNET_MASK = 1;
    public static final int OPTION_ROUTER = 3;
    public static final int OPTION_DNS = 6;
    public static final int OPTION_DOMAIN_NAME = 15;
    public static final int OPTION_MTU = 26;
    public static final int OPTION_BROADCAST = 28;
    public static final int OPTION_REQUESTED_ADDRESS = 50;
    public static final int OPTION_LEASE_SECONDS = 51;
    public static final int OPTION_MESSAGE_TYPE = 53;
    public static final int OPTION_SERVER_ID = 54;
    public static final int OPTION_MESSAGE = 56;
    public static final int OPTION_MAX_MESSAGE = 57;
    public static final int OPTION_RENEWAL_SECONDS = 58;
    public static final int OPTION_REBINDING_SECONDS = 59;
    public static final int OPTION_CLIENT_ID = 61;
    public static final int OPTION_DOMAIN_SEARCH = 119;
    public static final int OPTION_CLASSLESS_ROUTES = 121;

    /** What every client takes, in bytes of IP packet: RFC 2131 §2. */
    public static final int LEAST_MAX_MESSAGE = 576;

    /** Of one option's value. */
    public static final int MAX_OPTION_BYTES = 255;

    private static final int COOKIE = 0x6382_5363;
    private static final int END = 255;
    private static final int BROADCAST_FLAG = 0x8000;

    private DhcpMessage() {}

    /** True if {@code len} bytes are readable at {@code at} and hold the fixed part, for Ethernet, and the cookie. */
    public static boolean isValid(ByteBuf b, int at, int len) {
        return len >= OPTIONS_AT
                && len <= b.writerIndex() - at
                && b.getUnsignedByte(at + 1) == 1
                && b.getUnsignedByte(at + 2) == 6
                && b.getInt(at + 236) == COOKIE;
    }

    public static int op(ByteBuf b, int at) {
        return b.getUnsignedByte(at);
    }

    public static int xid(ByteBuf b, int at) {
        return b.getInt(at + 4);
    }

    /** The client can't receive unicast before it has an address. */
    public static boolean wantsBroadcast(ByteBuf b, int at) {
        return (b.getUnsignedShort(at + 10) & BROADCAST_FLAG) != 0;
    }

    public static int clientIp(ByteBuf b, int at) {
        return b.getInt(at + 12);
    }

    public static int yourIp(ByteBuf b, int at) {
        return b.getInt(at + 16);
    }

    public static int relayIp(ByteBuf b, int at) {
        return b.getInt(at + 24);
    }

    public static long clientMac(ByteBuf b, int at) {
        return EthernetHeader.mac(b, at + 28);
    }

    /**
     * Index of the value of the first option {@code code}, or -1; its length is the byte before. The options of a cut or
     * senseless message end where they stop making sense.
     */
    public static int option(ByteBuf b, int at, int len, int code) {
        int end = at + len;
        int i = at + OPTIONS_AT;
        while (i < end) {
            int found = b.getUnsignedByte(i);
            if (found == 0) {
                i++;
            } else if (found == END || i + 1 >= end || i + 2 + b.getUnsignedByte(i + 1) > end) {
                return -1;
            } else if (found == code) {
                return i + 2;
            } else {
                i += 2 + b.getUnsignedByte(i + 1);
            }
        }
        return -1;
    }

    /** The option's value if it is there with exactly one byte, or {@code otherwise}. */
    public static int byteOption(ByteBuf b, int at, int len, int code, int otherwise) {
        int i = option(b, at, len, code);
        return i >= 0 && b.getByte(i - 1) == 1 ? b.getUnsignedByte(i) : otherwise;
    }

    /** The option's value if it is there with exactly two bytes, or {@code otherwise}. */
    public static int shortOption(ByteBuf b, int at, int len, int code, int otherwise) {
        int i = option(b, at, len, code);
        return i >= 0 && b.getByte(i - 1) == 2 ? b.getUnsignedShort(i) : otherwise;
    }

    /** The option's value if it is there with exactly four bytes, or {@code otherwise}. */
    public static int intOption(ByteBuf b, int at, int len, int code, int otherwise) {
        int i = option(b, at, len, code);
        return i >= 0 && b.getByte(i - 1) == 4 ? b.getInt(i) : otherwise;
    }

    /** Appends the fixed part and the cookie; options follow by {@code writeOption}, then {@link #writeEnd}. */
    public static void write(
            ByteBuf b,
            int op,
            int xid,
            boolean broadcast,
            int clientIp,
            int yourIp,
            int serverIp,
            int relayIp,
            long mac) {
        b.writeInt(op << 24 | 0x0001_0600);
        b.writeInt(xid);
        b.writeInt(broadcast ? BROADCAST_FLAG : 0);
        b.writeInt(clientIp);
        b.writeInt(yourIp);
        b.writeInt(serverIp);
        b.writeInt(relayIp);
        b.writeShort((int) (mac >>> 32));
        b.writeInt((int) mac);
        b.writeZero(10 + 64 + 128);
        b.writeInt(COOKIE);
    }

    public static void writeByteOption(ByteBuf b, int code, int value) {
        b.writeByte(code).writeByte(1).writeByte(value);
    }

    public static void writeShortOption(ByteBuf b, int code, int value) {
        b.writeByte(code).writeByte(2).writeShort(value);
    }

    public static void writeIntOption(ByteBuf b, int code, int value) {
        b.writeByte(code).writeByte(4).writeInt(value);
    }

    /** At most 255 bytes. */
    public static void writeBytesOption(ByteBuf b, int code, byte[] value) {
        b.writeByte(code).writeByte(value.length).writeBytes(value);
    }

    /** Appends the option whose value is at {@code valueAt} of {@code from}, behind its length. */
    public static void copyOption(ByteBuf b, int code, ByteBuf from, int valueAt) {
        int bytes = from.getUnsignedByte(valueAt - 1);
        b.writeByte(code).writeByte(bytes).writeBytes(from, valueAt, bytes);
    }

    /**
     * Appends the search list of RFC 3397, names in full, which clients understand whether they know its compression or not.
     * Each domain is ASCII without an empty label. Those that do not fit are left out, from the first of them on: into one option,
     * since a list in two (RFC 3396) is what some clients drop with all of the message, and into {@code room}.
     *
     * @param room bytes, with the option's own two
     * @return how many went in; with none, nothing is appended
     */
    public static int writeDomainSearch(ByteBuf b, List<String> domains, int room) {
        int most = Math.min(MAX_OPTION_BYTES, room - 2);
        int bytes = 0;
        int count = 0;
        while (count < domains.size() && bytes + domains.get(count).length() + 2 <= most) {
            bytes += domains.get(count).length() + 2;
            count++;
        }
        if (count > 0) {
            b.writeByte(OPTION_DOMAIN_SEARCH).writeByte(bytes);
            domains.subList(0, count).forEach(domain -> DnsMessage.writeName(b, domain));
        }
        return count;
    }

    /** Ends the options and pads the message at {@code at} to BOOTP's 300 bytes, which some clients insist on (RFC 1542 §2.1). */
    public static void writeEnd(ByteBuf b, int at) {
        b.writeByte(END);
        int missing = 300 - (b.writerIndex() - at);
        if (missing > 0) {
            b.writeZero(missing);
        }
    }
}
