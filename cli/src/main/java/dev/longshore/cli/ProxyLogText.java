package dev.longshore.cli;

import dev.longshore.proto.control.v1.GetProxyLogReply;
import dev.longshore.proto.control.v1.ProxyLogEntry;
import java.time.Instant;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Pattern;
import tools.jackson.databind.json.JsonMapper;

/** What went through the proxy as text for people, and as JSON for programs. */
final class ProxyLogText {
    private static final JsonMapper MAPPER = JsonMapper.shared();
    private static final DateTimeFormatter TIME =
            DateTimeFormatter.ofPattern("HH:mm:ss.SSS", Locale.ROOT).withZone(ZoneId.systemDefault());

    /** What others said may reach the terminal, but not command it. */
    private static final Pattern CONTROLS = Pattern.compile("\\p{Cntrl}");

    private ProxyLogText() {}

    static List<String> lines(GetProxyLogReply reply) {
        return reply.getEntriesList().stream().map(ProxyLogText::line).toList();
    }

    private static String line(ProxyLogEntry e) {
        String who = e.getContainer().isEmpty() ? e.getSource() : e.getContainer();
        String what = e.getMethod().isEmpty() ? e.getKind() : e.getMethod();
        String text = String.format(
                Locale.ROOT,
                "%s %-15s %-12s %-3s %s  %s%d/%d bytes, %d ms%s",
                TIME.format(ended(e)),
                who,
                what,
                e.getStatus() == 0 ? "-" : String.valueOf(e.getStatus()),
                target(e),
                e.getRoute().isEmpty() ? "" : e.getRoute() + (e.getAuth().isEmpty() ? "" : " by " + e.getAuth()) + ", ",
                e.getBytesFromGuest(),
                e.getBytesToGuest(),
                e.getMillis(),
                e.getError().isEmpty() ? "" : ": " + e.getError());
        return CONTROLS.matcher(text).replaceAll(".");
    }

    private static String target(ProxyLogEntry e) {
        if (e.getHost().isEmpty()) {
            return "-";
        }
        String host = e.getHost().contains(":") ? "[" + e.getHost() + "]" : e.getHost();
        return host + ":" + e.getPort() + (e.getPath().startsWith("/") ? e.getPath() : "");
    }

    static String json(ProxyLogEntry e) {
        Map<String, Object> all = new LinkedHashMap<>();
        all.put("time", ended(e).toString());
        all.put("millis", e.getMillis());
        all.put("source", e.getSource());
        all.put("container", e.getContainer());
        all.put("kind", e.getKind());
        all.put("method", e.getMethod());
        all.put("host", e.getHost());
        all.put("port", e.getPort());
        all.put("named", e.getNamed());
        all.put("path", e.getPath());
        all.put("route", e.getRoute());
        all.put("remote", e.getRemote());
        all.put("rule", e.getRule());
        all.put("auth", e.getAuth());
        all.put("status", e.getStatus());
        all.put("fromGuest", e.getBytesFromGuest());
        all.put("toGuest", e.getBytesToGuest());
        all.put("error", e.getError());
        return MAPPER.writeValueAsString(all);
    }

    private static Instant ended(ProxyLogEntry e) {
        return Instant.ofEpochSecond(e.getEnded().getSeconds(), e.getEnded().getNanos());
    }
}
