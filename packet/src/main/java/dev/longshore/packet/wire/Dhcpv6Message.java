package dev.longshore.packet.wire;

import io.netty.buffer.ByteBuf;
import java.util.List;

/**
 * DHCPv6 message between a client and a server at index {@code at} of a buffer: RFC 8415 §8, §21; DNS: RFC 3646.
 *
 * <pre>
 *  0               8               16                             31
 * |    type       |              transaction id                    |  0
 * |   options: code, 2 bytes; length, 2 bytes; value               |  4
 *
 *   IA_NA (3):    |  IAID  |  T1  |  T2  |  options               12 bytes before the options
 *   IAADDR (5):   |  address, 16 bytes  |  preferred  |  valid  |  options   24 bytes before them
 * </pre>
 *
 * Once {@link #isValid} is true, no accessor reads outside the message.
 */
public final class Dhcpv6Message {
    /** Where the options start. */
    public static final int OPTIONS_AT = 4;

    public static final int SERVER_PORT = 547;
    public static final int CLIENT_PORT = 546;

    /** ff02::1:2, All_DHCP_Relay_Agents_and_Servers: RFC 8415 §7.1. */
    public static final IpAddress ALL_SERVERS = new IpAddress(0xFF02_0000_0000_0000L, 0x0001_0002L);

    /** Types: RFC 8415 §7.3. */
    public static final int SOLICIT = 1;

    public static final int ADVERTISE = 2;
    public static final int REQUEST = 3;
    public static final int CONFIRM = 4;
    public static final int RENEW = 5;
    public static final int REBIND = 6;
    public static final int REPLY = 7;
    public static final int RELEASE = 8;
    public static final int DECLINE = 9;
    public static final int INFORMATION_REQUEST = 11;

    public static final int OPTION_CLIENT_ID = 1;
    public static final int OPTION_SERVER_ID = 2;
    public static final int OPTION_IA_NA = 3;
    public static final int OPTION_IA_ADDRESS = 5;
    public static final int OPTION_REQUEST = 6;
    public static final int OPTION_PREFERENCE = 7;
    public static final int OPTION_STATUS = 13;
    public static final int OPTION_RAPID_COMMIT = 14;
    public static final int OPTION_IA_PD = 25;
    public static final int OPTION_DNS_SERVERS = 23;
    public static final int OPTION_DOMAIN_LIST = 24;
    public static final int OPTION_INFORMATION_REFRESH = 32;

    /** Values of {@link #OPTION_STATUS}: RFC 8415 §21.13. */
    public static final int STATUS_SUCCESS = 0;

    public static final int STATUS_NO_ADDRESSES = 2;
    public static final int STATUS_NO_BINDING = 3;
    public static final int STATUS_NOT_ON_LINK = 4;
    public static final int STATUS_NO_PREFIX = 6;

    /** Bytes of an IA_NA before its options. */
    public static final int IA_BYTES = 12;

    /** Bytes of an IA address before its options. */
    public static final int IA_ADDRESS_BYTES = 24;

    /** A DUID has a type and at most 128 bytes more: RFC 8415 §11.1. */
    public static final int MAX_DUID_BYTES = 130;

    private Dhcpv6Message() {}

    /** True if {@code len} bytes are readable at {@code at}, hold a header, and all options fit. */
    public static boolean isValid(ByteBuf b, int at, int len) {
        return len >= OPTIONS_AT && len <= b.writerIndex() - at && fit(b, at + OPTIONS_AT, at + len);
    }

    private static boolean fit(ByteBuf b, int from, int end) {
        int i = from;
        while (i < end) {
            if (end - i < 4 || b.getUnsignedShort(i + 2) > end - i - 4) {
                return false;
            }
            i += 4 + b.getUnsignedShort(i + 2);
        }
        return true;
    }

    public static int type(ByteBuf b, int at) {
        return b.getUnsignedByte(at);
    }

    /** 0..2^24-1. */
    public static int transaction(ByteBuf b, int at) {
        return b.getUnsignedMedium(at + 1);
    }

    /** Index of the value of the first option {@code code} of a valid message, or -1; {@link #length} tells its bytes. */
    public static int option(ByteBuf b, int at, int len, int code) {
        return optionIn(b, at + OPTIONS_AT, at + len, code);
    }

    /**
     * Index of the value of the first option {@code code} from {@code from} to {@code end}, or -1. For options in options
     * too: these end where they stop making sense.
     */
    public static int optionIn(ByteBuf b, int from, int end, int code) {
        int i = from;
        while (end - i >= 4) {
            int bytes = b.getUnsignedShort(i + 2);
            if (bytes > end - i - 4) {
                return -1;
            }
            if (b.getUnsignedShort(i) == code) {
                return i + 4;
            }
            i += 4 + bytes;
        }
        return -1;
    }

    /** Bytes of the value at index {@code value}, as {@link #option} returned it. */
    public static int length(ByteBuf b, int value) {
        return b.getUnsignedShort(value - 2);
    }

    /** True if the option request option names {@code code}. */
    public static boolean requests(ByteBuf b, int at, int len, int code) {
        int value = option(b, at, len, OPTION_REQUEST);
        if (value < 0) {
            return false;
        }
        for (int i = 0; i + 2 <= length(b, value); i += 2) {
            if (b.getUnsignedShort(value + i) == code) {
                return true;
            }
        }
        return false;
    }

    /** Appends the header; options follow. */
    public static void write(ByteBuf b, int type, int transaction) {
        b.writeInt(type << 24 | (transaction & 0xFF_FFFF));
    }

    /** Appends code and length 0; returns the index for {@link #endOption}. The value is appended in between. */
    public static int beginOption(ByteBuf b, int code) {
        b.writeShort(code).writeShort(0);
        return b.writerIndex();
    }

    /** Sets the length of the option whose value starts at {@code value} to all that was appended since. */
    public static void endOption(ByteBuf b, int value) {
        b.setShort(value - 2, b.writerIndex() - value);
    }

    /** Appends an option whose value are {@code bytes} bytes of {@code from}. */
    public static void writeOption(ByteBuf b, int code, ByteBuf from, int at, int bytes) {
        b.writeShort(code).writeShort(bytes).writeBytes(from, at, bytes);
    }

    /** Appends a DUID made of the link-layer address of an Ethernet card: RFC 8415 §11.4. */
    public static void writeLinkLayerDuid(ByteBuf b, int code, long mac) {
        b.writeShort(code).writeShort(10);
        b.writeShort(3).writeShort(1);
        b.writeShort((int) (mac >>> 32)).writeInt((int) mac);
    }

    /** True if the {@code bytes} bytes at {@code at} are the DUID that {@link #writeLinkLayerDuid} writes. */
    public static boolean isLinkLayerDuid(ByteBuf b, int at, int bytes, long mac) {
        return bytes == 10 && b.getInt(at) == 0x0003_0001 && EthernetHeader.mac(b, at + 4) == mac;
    }

    /** Appends an IA address without options: RFC 8415 §21.6. */
    public static void writeAddress(ByteBuf b, long hi, long lo, int preferredSeconds, int validSeconds) {
        b.writeShort(OPTION_IA_ADDRESS).writeShort(IA_ADDRESS_BYTES);
        b.writeLong(hi).writeLong(lo).writeInt(preferredSeconds).writeInt(validSeconds);
    }

    /** Appends a status without a message. */
    public static void writeStatus(ByteBuf b, int status) {
        b.writeShort(OPTION_STATUS).writeShort(2).writeShort(status);
    }

    /** Appends one name server: RFC 3646 §3. */
    public static void writeDnsServer(ByteBuf b, long hi, long lo) {
        b.writeShort(OPTION_DNS_SERVERS).writeShort(16).writeLong(hi).writeLong(lo);
    }

    /** Appends the search list: RFC 3646 §4. Nothing without a domain. */
    public static void writeDomains(ByteBuf b, List<String> domains) {
        if (!domains.isEmpty()) {
            int value = beginOption(b, OPTION_DOMAIN_LIST);
            domains.forEach(domain -> DnsMessage.writeName(b, domain));
            endOption(b, value);
        }
    }
}
