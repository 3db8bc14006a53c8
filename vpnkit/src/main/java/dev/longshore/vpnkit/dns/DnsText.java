package dev.longshore.vpnkit.dns;

import dev.longshore.packet.wire.DnsMessage;
import dev.longshore.packet.wire.DnsRecord;
import dev.longshore.packet.wire.IpAddress;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;

/** Names of types and codes, and records as people read them: RFC 1035 §5.1, RFC 3597 §5 for what has no form of its own here. */
public final class DnsText {
    private static final Map<String, Integer> TYPES = new TreeMap<>(Map.ofEntries(
            Map.entry("A", 1),
            Map.entry("NS", 2),
            Map.entry("CNAME", 5),
            Map.entry("SOA", 6),
            Map.entry("PTR", 12),
            Map.entry("HINFO", 13),
            Map.entry("MX", 15),
            Map.entry("TXT", 16),
            Map.entry("RP", 17),
            Map.entry("AAAA", 28),
            Map.entry("LOC", 29),
            Map.entry("SRV", 33),
            Map.entry("NAPTR", 35),
            Map.entry("DNAME", 39),
            Map.entry("OPT", 41),
            Map.entry("DS", 43),
            Map.entry("SSHFP", 44),
            Map.entry("RRSIG", 46),
            Map.entry("NSEC", 47),
            Map.entry("DNSKEY", 48),
            Map.entry("NSEC3", 50),
            Map.entry("TLSA", 52),
            Map.entry("SVCB", 64),
            Map.entry("HTTPS", 65),
            Map.entry("SPF", 99),
            Map.entry("IXFR", 251),
            Map.entry("AXFR", 252),
            Map.entry("ANY", 255),
            Map.entry("URI", 256),
            Map.entry("CAA", 257)));

    private static final List<String> RCODES = List.of(
            "NOERROR",
            "FORMERR",
            "SERVFAIL",
            "NXDOMAIN",
            "NOTIMP",
            "REFUSED",
            "YXDOMAIN",
            "YXRRSET",
            "NXRRSET",
            "NOTAUTH");

    private DnsText() {}

    /** A type's number by its name, or TYPE and a number; -1 if it is none. */
    public static int type(String text) {
        String upper = text.toUpperCase(Locale.ROOT);
        Integer known = TYPES.get(upper);
        if (known != null) {
            return known;
        }
        return upper.matches("TYPE[0-9]{1,5}") && Integer.parseInt(upper.substring(4)) <= 0xFFFF
                ? Integer.parseInt(upper.substring(4))
                : -1;
    }

    public static String type(int type) {
        for (Map.Entry<String, Integer> e : TYPES.entrySet()) {
            if (e.getValue() == type) {
                return e.getKey();
            }
        }
        return "TYPE" + type;
    }

    public static String rcode(int rcode) {
        return rcode < RCODES.size() ? RCODES.get(rcode) : "RCODE" + rcode;
    }

    /** Records of the answer section, a line each; at most {@code most}. */
    static List<String> answers(ByteBuf m, int most) {
        List<String> lines = new ArrayList<>();
        DnsLayout layout = new DnsLayout();
        if (layout.read(m)) {
            int i = layout.recordsAt;
            for (int n = 0; n < DnsMessage.answers(m, 0) && n < most; n++) {
                lines.add(record(m, layout.end, i));
                i = DnsMessage.skipRecord(m, 0, layout.end, i);
            }
        }
        return lines;
    }

    private static String record(ByteBuf m, int end, int at) {
        int afterName = DnsMessage.skipName(m, 0, end, at);
        return name(m, end, at) + " " + DnsRecord.ttl(m, afterName) + " " + type(DnsRecord.type(m, afterName)) + " "
                + data(m, end, afterName);
    }

    private static String data(ByteBuf m, int end, int afterName) {
        int at = DnsRecord.dataAt(afterName);
        int bytes = DnsRecord.dataBytes(m, afterName);
        int type = DnsRecord.type(m, afterName);
        if (type == DnsMessage.TYPE_A && bytes == 4) {
            return IpAddress.v4(m.getInt(at)).toString();
        }
        if (type == DnsMessage.TYPE_AAAA && bytes == 16) {
            return new IpAddress(m.getLong(at), m.getLong(at + 8)).toString();
        }
        if (type == DnsMessage.TYPE_MX && bytes > 2) {
            return m.getUnsignedShort(at) + " " + name(m, end, at + 2);
        }
        if (type == DnsMessage.TYPE_SRV && bytes > 6) {
            return m.getUnsignedShort(at) + " " + m.getUnsignedShort(at + 2) + " " + m.getUnsignedShort(at + 4) + " "
                    + name(m, end, at + 6);
        }
        return switch (type) {
            case DnsMessage.TYPE_NS, DnsMessage.TYPE_CNAME, DnsMessage.TYPE_PTR, DnsMessage.TYPE_DNAME ->
                name(m, end, at);
            case DnsMessage.TYPE_TXT -> strings(m, at, bytes);
            default -> "\\# " + bytes + " " + ByteBufUtil.hexDump(m, at, bytes);
        };
    }

    private static String strings(ByteBuf m, int at, int bytes) {
        StringBuilder text = new StringBuilder();
        int i = at;
        while (i < at + bytes) {
            int length = Math.min(m.getUnsignedByte(i), at + bytes - i - 1);
            text.append(text.isEmpty() ? "\"" : " \"");
            for (int k = i + 1; k <= i + length; k++) {
                append(text, m.getUnsignedByte(k), "\"\\");
            }
            text.append('"');
            i += 1 + length;
        }
        return text.toString();
    }

    private static String name(ByteBuf m, int end, int at) {
        byte[] name = new byte[DnsMessage.MAX_NAME_BYTES];
        int bytes = DnsMessage.copyName(m, 0, end, at, name, false);
        return bytes < 0 ? "?" : name(name, bytes);
    }

    /** A name as questions have it, with its last dot; what is no plain character as an escape. */
    static String name(byte[] wire, int bytes) {
        StringBuilder text = new StringBuilder();
        int i = 0;
        while (i < bytes && wire[i] != 0) {
            int length = Math.min(wire[i] & 0xFF, bytes - i - 1);
            for (int k = i + 1; k <= i + length; k++) {
                append(text, wire[k] & 0xFF, ".\\\"();@$");
            }
            text.append('.');
            i += 1 + length;
        }
        return text.isEmpty() ? "." : text.toString();
    }

    private static void append(StringBuilder text, int c, String special) {
        if (c < ' ' || c >= 0x7F || (c == ' ' && special.indexOf('.') >= 0)) {
            text.append('\\').append(String.format(Locale.ROOT, "%03d", c));
        } else {
            if (special.indexOf(c) >= 0) {
                text.append('\\');
            }
            text.append((char) c);
        }
    }
}
