package dev.longshore.vpnkit.dns;

import java.util.ArrayList;
import java.util.List;

/** What happened to one question of an operator's, in the order in which it did. Confined to the link's event loop. */
final class DnsTrace {
    private static final int MAX_STEPS = 64;

    private final List<String> steps = new ArrayList<>();

    // ---- how it ended

    DnsSource source = DnsSource.NONE;
    String from = "";
    boolean filtered;
    long micros;

    void ended(DnsSource by, String resolver, boolean stripped, long took) {
        source = by;
        from = resolver;
        filtered = stripped;
        micros += took;
    }

    void step(String text) {
        if (steps.size() < MAX_STEPS) {
            steps.add(text);
        }
    }

    List<String> steps() {
        return List.copyOf(steps);
    }
}
