package dev.longshore.backend;

import dev.longshore.proxy.audit.Audit;
import dev.longshore.proxy.audit.AuditRecord;
import dev.longshore.vpnkit.count.Counters.Reading;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.LongAdder;

/** What went through the proxy, in numbers. Thread-safe: adders. */
final class AuditCounts implements Audit {
    private final Map<AuditRecord.Kind, Pair> kinds =
            new EnumMap<>(AuditRecord.Kind.class); // all of them, from the start
    private final LongAdder fromGuest = new LongAdder();
    private final LongAdder toGuest = new LongAdder();
    private final LongAdder authenticated = new LongAdder();

    private record Pair(LongAdder begun, LongAdder well, LongAdder failed) {
        /** Now; of sums that move. */
        long active() {
            long ended = well.sum() + failed.sum(); // first: each has begun before
            return Math.max(0, begun.sum() - ended);
        }
    }

    AuditCounts() {
        for (AuditRecord.Kind kind : AuditRecord.Kind.values()) {
            kinds.put(kind, new Pair(new LongAdder(), new LongAdder(), new LongAdder()));
        }
    }

    @Override
    public void begun(AuditRecord.Kind kind) {
        Pair pair = kinds.get(kind);
        if (pair != null) {
            pair.begun.increment();
        }
    }

    @Override
    public void add(AuditRecord record) {
        Pair pair = kinds.get(record.kind());
        if (pair != null) {
            (isWell(record) ? pair.well : pair.failed).increment();
        }
        fromGuest.add(record.bytesFromGuest());
        toGuest.add(record.bytesToGuest());
        if (!record.auth().isEmpty()) {
            authenticated.increment();
        }
    }

    /** Nothing was refused, by anybody, and nothing broke. */
    static boolean isWell(AuditRecord record) {
        return record.error().isEmpty() && record.status() < 400;
    }

    List<Reading> readings() {
        List<Reading> all = new ArrayList<>();
        kinds.forEach((kind, pair) -> {
            String word = kind.name().toLowerCase(java.util.Locale.ROOT).replace('_', '-');
            String help = "Requests and tunnels through the HTTP proxy that have ended.";
            all.add(new Reading("proxy.requests", "kind=" + word + ",outcome=well", help, pair.well.sum()));
            all.add(new Reading("proxy.requests", "kind=" + word + ",outcome=failed", help, pair.failed.sum()));
            String now = "Requests and tunnels through the HTTP proxy that are under way now.";
            all.add(new Reading("proxy.requests.active", "kind=" + word, now, pair.active()));
        });
        String bytes = "Bytes of bodies and tunnels that have ended.";
        all.add(new Reading("proxy.bytes", "direction=fromGuest", bytes, fromGuest.sum()));
        all.add(new Reading("proxy.bytes", "direction=toGuest", bytes, toGuest.sum()));
        all.add(new Reading(
                "proxy.requests.authenticated",
                "",
                "Those of them for which an upstream proxy was told who they are from.",
                authenticated.sum()));
        return all;
    }
}
