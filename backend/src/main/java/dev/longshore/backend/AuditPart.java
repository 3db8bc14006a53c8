package dev.longshore.backend;

import dev.longshore.config.Settings;
import dev.longshore.proxy.audit.Audit;
import dev.longshore.proxy.audit.AuditFile;
import dev.longshore.proxy.audit.AuditRecord;
import dev.longshore.proxy.audit.RecentAudit;
import dev.longshore.vpnkit.count.Counters;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Where the proxy's records go: the last ones stay in memory, all go to a file if the settings want that. Thread-safe. */
final class AuditPart implements Audit, AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(AuditPart.class);
    private static final long MAX_FILE_BYTES = 10L << 20;

    private final @Nullable Path path;
    private final RecentAudit recent = new RecentAudit();
    private final AuditCounts counts = new AuditCounts();
    private final AtomicLong good = new AtomicLong();
    private volatile @Nullable AuditFile file;
    private volatile int sample = 1; // one in so many of what went well is written

    /** @param path of the file; null where there is no home for one */
    AuditPart(@Nullable Path path) {
        this.path = path;
    }

    /** What counts at once. */
    synchronized void apply(Settings settings) {
        sample = settings.proxy().audit().sample();
        boolean wanted = settings.proxy().audit().toFile();
        AuditFile now = file;
        if (wanted && now == null && path != null) {
            file = new AuditFile(path, MAX_FILE_BYTES);
            LOG.info("what goes through the proxy is written to {}", path);
        } else if (wanted && path == null) {
            LOG.warn("proxy.auditLog counts for longshore up only: this network has no home with a log directory");
        } else if (!wanted && now != null) {
            file = null;
            now.close();
        }
    }

    @Override
    public void begun(AuditRecord.Kind kind) {
        counts.begun(kind);
    }

    @Override
    public void add(AuditRecord record) {
        recent.add(record);
        counts.add(record);
        AuditFile now = file;
        if (now != null && isWritten(record)) {
            now.add(record);
        }
    }

    private boolean isWritten(AuditRecord record) {
        return !AuditCounts.isWell(record) || good.getAndIncrement() % sample == 0;
    }

    /** What there has been, in numbers. */
    List<Counters.Reading> readings() {
        return counts.readings();
    }

    /** The last {@code most} records, the oldest first. */
    List<AuditRecord> last(int most) {
        return recent.last(most);
    }

    @Override
    public synchronized void close() {
        AuditFile now = file;
        file = null;
        if (now != null) {
            now.close();
        }
    }
}
