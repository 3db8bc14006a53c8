package dev.longshore.proxy.pac;

import java.util.concurrent.CompletionStage;

/** One script, wherever it is. Thread-safe. */
public interface PacFile extends AutoCloseable {
    /**
     * Asks it. Answers from memory where it can.
     *
     * @param plain for {@code http://}, else for {@code https://}
     * @param host a name, or an address literal without brackets
     * @param port 1..65535
     * @return never fails; completed on any thread
     */
    CompletionStage<PacResult> find(boolean plain, String host, int port);

    /** One line for people: since when it is there, or why it is not. */
    String state();

    /** Why there is none, or no newer one, as a sentence's end; empty if all is well, or nothing is known yet. */
    String problem();

    /** Idempotent. */
    @Override
    void close();
}
