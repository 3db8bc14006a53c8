package dev.longshore.proxy.audit;

import java.io.BufferedWriter;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Records as lines of JSON in a file, for the user alone (0600); at {@code maxBytes} it becomes {@code FILE.1} in place of the former
 * one. Thread-safe: a thread of its own writes, so that a slow disk keeps nobody waiting. Where it can't keep up, records are left
 * out, and how many is a line of its own.
 */
public final class AuditFile implements Audit, AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(AuditFile.class);
    private static final int WAITING = 4_096;
    private static final long CLOSE_SECONDS = 5;

    private final Path file;
    private final long maxBytes;
    private final ArrayBlockingQueue<AuditRecord> queue = new ArrayBlockingQueue<>(WAITING);
    private final AtomicLong lost = new AtomicLong();
    private final Thread writer;
    private volatile boolean closing;
    private boolean complained; // the writer's

    /**
     * Begins to write.
     *
     * @param file appended to; its directory is there
     */
    public AuditFile(Path file, long maxBytes) {
        this.file = file;
        this.maxBytes = maxBytes;
        this.writer = new Thread(this::run, "audit");
        writer.setDaemon(true);
        writer.start();
    }

    @Override
    public void add(AuditRecord record) {
        if (closing || !queue.offer(record)) {
            lost.incrementAndGet();
        }
    }

    private void run() {
        List<AuditRecord> batch = new ArrayList<>();
        try {
            while (!closing || !queue.isEmpty()) {
                AuditRecord first = queue.poll(200, TimeUnit.MILLISECONDS);
                if (first != null) {
                    batch.add(first);
                    queue.drainTo(batch);
                    write(batch);
                    batch.clear();
                }
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void write(List<AuditRecord> batch) {
        try {
            if (Files.exists(file) && Files.size(file) >= maxBytes) {
                Files.move(file, file.resolveSibling(file.getFileName() + ".1"), StandardCopyOption.REPLACE_EXISTING);
            }
            if (!Files.exists(file)) {
                Files.createFile(
                        file, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
            }
            try (BufferedWriter out =
                    Files.newBufferedWriter(file, StandardCharsets.US_ASCII, StandardOpenOption.APPEND)) {
                long missing = lost.getAndSet(0);
                if (missing > 0) {
                    out.write(new JsonLine().add("lost", missing).end() + "\n");
                }
                for (AuditRecord record : batch) {
                    out.write(record.toJson());
                    out.write('\n');
                }
            }
            complained = false;
        } catch (IOException e) {
            lost.addAndGet(batch.size());
            if (!complained) {
                complained = true;
                LOG.warn("the audit file {} can't be written, records are lost: {}", file, e.toString());
            }
        }
    }

    /** Writes what waits, for some seconds at most. Idempotent. */
    @Override
    public void close() {
        closing = true;
        try {
            writer.join(TimeUnit.SECONDS.toMillis(CLOSE_SECONDS));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
