package dev.longshore.proxy.pac;

import java.util.concurrent.CompletableFuture;

/** Runs one script. Thread-safe. */
interface PacRunner extends AutoCloseable {
    /** Completes when the script was read and has the function that is asked for; fails with {@link PacException}. */
    CompletableFuture<Void> ready();

    /** What it returns; fails with {@link PacException}, also for calls under way when this is closed. */
    CompletableFuture<String> find(String url, String host);

    /** Idempotent. */
    @Override
    void close();
}
