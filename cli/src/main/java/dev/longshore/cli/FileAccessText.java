package dev.longshore.cli;

import dev.longshore.proto.control.v1.FileAccess;
import java.time.Instant;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Pattern;
import tools.jackson.databind.json.JsonMapper;

/** An access to the host's files as text for people, and as JSON for programs: a line each. */
final class FileAccessText {
    private static final JsonMapper MAPPER = JsonMapper.shared();
    private static final DateTimeFormatter TIME =
            DateTimeFormatter.ofPattern("HH:mm:ss.SSS", Locale.ROOT).withZone(ZoneId.systemDefault());

    /** Names that containers gave may reach the terminal, but not command it. */
    private static final Pattern CONTROLS = Pattern.compile("\\p{Cntrl}");

    private FileAccessText() {}

    static String line(FileAccess a) {
        boolean closed = a.getKind().equals("close");
        String text = String.format(
                Locale.ROOT,
                "%s %-14s %s%s%s%s",
                TIME.format(time(a)),
                a.getKind(),
                a.getPath(),
                a.getTo().isEmpty() ? "" : " -> " + a.getTo(),
                closed
                        ? String.format(
                                Locale.ROOT, "  (%d bytes read, %d written)", a.getBytesRead(), a.getBytesWritten())
                        : String.format(
                                Locale.ROOT,
                                "  (uid %s, pid %s)",
                                Integer.toUnsignedString(a.getUid()),
                                Integer.toUnsignedString(a.getPid())),
                a.getError().isEmpty() ? "" : ": " + a.getError());
        return CONTROLS.matcher(text).replaceAll(".");
    }

    static String json(FileAccess a) {
        Map<String, Object> all = new LinkedHashMap<>();
        all.put("time", time(a).toString());
        all.put("kind", a.getKind());
        all.put("path", a.getPath());
        all.put("to", a.getTo());
        all.put("uid", Integer.toUnsignedLong(a.getUid()));
        all.put("gid", Integer.toUnsignedLong(a.getGid()));
        all.put("pid", Integer.toUnsignedLong(a.getPid()));
        all.put("errno", a.getErrno());
        all.put("error", a.getError());
        all.put("read", a.getBytesRead());
        all.put("written", a.getBytesWritten());
        return MAPPER.writeValueAsString(all);
    }

    private static Instant time(FileAccess a) {
        return Instant.ofEpochSecond(a.getTime().getSeconds(), a.getTime().getNanos());
    }
}
