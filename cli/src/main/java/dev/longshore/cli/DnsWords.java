package dev.longshore.cli;

import dev.longshore.proto.control.v1.DnsLogLine;
import dev.longshore.proto.control.v1.DnsSource;
import dev.longshore.proto.control.v1.GetDnsLogReply;
import dev.longshore.proto.control.v1.QueryDnsReply;
import java.time.Instant;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import tools.jackson.databind.json.JsonMapper;

/** Answers and questions of the name server as text for people, and as JSON for programs. */
final class DnsWords {
    private static final JsonMapper MAPPER = JsonMapper.shared();
    private static final DateTimeFormatter TIME =
            DateTimeFormatter.ofPattern("HH:mm:ss.SSS", Locale.ROOT).withZone(ZoneId.systemDefault());

    private DnsWords() {}

    static List<String> lines(QueryDnsReply r) {
        List<String> lines = new ArrayList<>();
        lines.add(r.getName() + " " + r.getType() + ": " + r.getRcode() + " (" + String.join(" ", r.getFlagsList())
                + "), " + source(r.getSource(), r.getFrom()) + ", " + millis(r.getMicros()));
        r.getStepsList().forEach(step -> lines.add("  " + step));
        if (r.getRecordsCount() > 0) {
            lines.add("");
            lines.addAll(r.getRecordsList());
        }
        return lines;
    }

    static String json(QueryDnsReply r) {
        Map<String, Object> all = new LinkedHashMap<>();
        all.put("name", r.getName());
        all.put("type", r.getType());
        all.put("rcode", r.getRcode());
        all.put("flags", List.copyOf(r.getFlagsList()));
        all.put("source", word(r.getSource()));
        all.put("from", r.getFrom());
        all.put("filtered", r.getFiltered());
        all.put("micros", r.getMicros());
        all.put("steps", List.copyOf(r.getStepsList()));
        all.put("records", List.copyOf(r.getRecordsList()));
        return MAPPER.writeValueAsString(all);
    }

    static List<String> lines(GetDnsLogReply reply) {
        List<String> lines = new ArrayList<>();
        for (DnsLogLine l : reply.getLinesList()) {
            lines.add(String.format(
                    Locale.ROOT,
                    "%s %-15s %-6s %-8s %s  %s%s, %s",
                    TIME.format(at(l)),
                    l.getGuest(),
                    l.getType(),
                    l.getRcode(),
                    l.getName(),
                    source(l.getSource(), l.getFrom()),
                    (l.getFiltered() ? ", filtered" : "") + (l.getTcp() ? ", tcp" : ""),
                    millis(l.getMicros())));
        }
        return lines;
    }

    static String json(DnsLogLine l) {
        Map<String, Object> all = new LinkedHashMap<>();
        all.put("number", l.getNumber());
        all.put("at", at(l).toString());
        all.put("guest", l.getGuest());
        all.put("name", l.getName());
        all.put("type", l.getType());
        all.put("tcp", l.getTcp());
        all.put("rcode", l.getRcode());
        all.put("bytes", l.getBytes());
        all.put("source", word(l.getSource()));
        all.put("from", l.getFrom());
        all.put("filtered", l.getFiltered());
        all.put("micros", l.getMicros());
        return MAPPER.writeValueAsString(all);
    }

    private static Instant at(DnsLogLine l) {
        return Instant.ofEpochSecond(l.getAt().getSeconds(), l.getAt().getNanos());
    }

    private static String millis(long micros) {
        return String.format(Locale.ROOT, "%d.%03d ms", micros / 1000, micros % 1000);
    }

    private static String source(DnsSource source, String from) {
        return word(source) + (from.isEmpty() ? "" : " " + from);
    }

    private static String word(DnsSource source) {
        return switch (source) {
            case DNS_SOURCE_LOCAL -> "local";
            case DNS_SOURCE_HOSTS -> "hosts";
            case DNS_SOURCE_CACHE -> "cache";
            case DNS_SOURCE_RESOLVER -> "resolver";
            case DNS_SOURCE_ROUTE -> "route";
            case DNS_SOURCE_NONE -> "none";
            case DNS_SOURCE_BUSY -> "busy";
            case DNS_SOURCE_MALFORMED -> "malformed";
            case DNS_SOURCE_POLICY -> "policy";
            case DNS_SOURCE_UNSPECIFIED, UNRECOGNIZED -> "unknown";
        };
    }
}
