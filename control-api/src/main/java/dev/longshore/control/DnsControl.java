package dev.longshore.control;

import java.time.Instant;
import java.util.List;
import java.util.concurrent.CompletionStage;

/** What the control socket asks of the guest's name server. Thread-safe. Everything fails with WRONG_STATE if no guest runs. */
public interface DnsControl {
    /**
     * Answers a question as if the guest had asked it. INVALID for what is no name or no type.
     *
     * @param type as in "AAAA" or "TYPE65"; empty for A
     */
    CompletionStage<Outcome<Answered>> query(String name, String type);

    /** The last {@code most} questions, the oldest first. */
    CompletionStage<Outcome<List<Line>>> log(int most);

    /** Forgets all answers; how many there were. */
    CompletionStage<Outcome<Integer>> flush();

    /** As in {@code dns.proto}. */
    enum Source {
        LOCAL,
        HOSTS,
        CACHE,
        RESOLVER,
        ROUTE,
        NONE,
        BUSY,
        MALFORMED,
        POLICY
    }

    /** How a question was answered. Immutable; the fields are explained in {@code dns.proto}. */
    record Answered(
            String name,
            String type,
            String rcode,
            List<String> flags,
            Source source,
            String from,
            boolean filtered,
            long micros,
            List<String> steps,
            List<String> records) {}

    /** One question of the past. Immutable; the fields are explained in {@code dns.proto}. */
    record Line(
            long number,
            Instant at,
            String guest,
            String name,
            String type,
            boolean tcp,
            String rcode,
            int bytes,
            Source source,
            boolean filtered,
            String from,
            long micros) {}
}
