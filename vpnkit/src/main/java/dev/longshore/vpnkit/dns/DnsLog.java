package dev.longshore.vpnkit.dns;

import dev.longshore.packet.wire.IpAddress;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The last questions and what became of them. Confined to the link's event loop. Writing copies a few fields to a place that is used
 * again: no object, no text, no file.
 */
public final class DnsLog {
    /** How many are kept. */
    public static final int SIZE = 1000;

    private final Slot[] slots = new Slot[SIZE];
    private long count;

    DnsLog() {
        for (int i = 0; i < SIZE; i++) {
            slots[i] = new Slot();
        }
    }

    /** One place. */
    private static final class Slot {
        long atMillis;
        long guestHi;
        long guestLo;
        byte @Nullable [] question;
        int type;
        boolean tcp;
        int rcode;
        int bytes;
        DnsSource source = DnsSource.LOCAL;
        boolean filtered;
        String from = "";
        long micros;
    }

    /**
     * One question. Immutable.
     *
     * @param number of all since the start, from 0
     * @param guest who asked
     * @param name with its last dot
     * @param from the resolver that answered, or the domain of the route if none did; empty if it was not asked
     * @param micros until the answer
     */
    public record Line(
            long number,
            Instant at,
            IpAddress guest,
            String name,
            String type,
            boolean tcp,
            String rcode,
            int bytes,
            DnsSource source,
            boolean filtered,
            String from,
            long micros) {}

    void add(DnsQuestion q, DnsSource source, String from, boolean filtered, int rcode, int bytes, long micros) {
        Slot s = slots[(int) (count++ % SIZE)];
        s.atMillis = System.currentTimeMillis();
        s.guestHi = q.guestHi;
        s.guestLo = q.guestLo;
        s.question = q.bytes;
        s.type = q.type;
        s.tcp = q.tcp;
        s.rcode = rcode;
        s.bytes = bytes;
        s.source = source;
        s.filtered = filtered;
        s.from = from;
        s.micros = micros;
    }

    /** The last {@code most}, the oldest first. */
    public List<Line> last(int most) {
        List<Line> lines = new ArrayList<>();
        for (long n = Math.max(0, count - Math.min(most, SIZE)); n < count; n++) {
            Slot s = slots[(int) (n % SIZE)];
            byte[] question = s.question;
            lines.add(new Line(
                    n,
                    Instant.ofEpochMilli(s.atMillis),
                    new IpAddress(s.guestHi, s.guestLo),
                    question == null ? "." : DnsText.name(question, question.length),
                    DnsText.type(s.type),
                    s.tcp,
                    DnsText.rcode(s.rcode),
                    s.bytes,
                    s.source,
                    s.filtered,
                    s.from,
                    s.micros));
        }
        return lines;
    }
}
