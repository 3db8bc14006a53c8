package dev.longshore.proxy.audit;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;

/** The last {@link #MAX} records, in memory. Thread-safe: a short lock, once for each request or tunnel. */
public final class RecentAudit implements Audit {
    public static final int MAX = 1_000;

    private final ArrayDeque<AuditRecord> records = new ArrayDeque<>();
    private long total;

    @Override
    public synchronized void add(AuditRecord record) {
        if (records.size() == MAX) {
            records.removeFirst();
        }
        records.addLast(record);
        total++;
    }

    /** The last {@code most} of them, the oldest first. */
    public synchronized List<AuditRecord> last(int most) {
        List<AuditRecord> all = new ArrayList<>(records);
        return List.copyOf(all.subList(Math.max(0, all.size() - Math.max(0, most)), all.size()));
    }

    /** Ever added. */
    public synchronized long total() {
        return total;
    }
}
