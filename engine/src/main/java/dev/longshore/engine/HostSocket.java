package dev.longshore.engine;

import java.nio.file.Path;

/** A Unix socket of the host that is about to be connected to. Thread-safe. */
public interface HostSocket extends AutoCloseable {
    /** By which it can be connected to until {@link #close}. */
    Path path();

    /** It was connected to, or is not wanted. Idempotent. */
    @Override
    void close();
}
