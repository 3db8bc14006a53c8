package dev.longshore.control;

import java.util.concurrent.CompletionStage;

/** What the control socket asks of the daemon. Thread-safe: called by the server's threads, which must not be blocked. */
public interface Daemon {
    Status status();

    /** Completes when the Engine answered, with the value for DOCKER_HOST; at once if it runs. */
    CompletionStage<Outcome<String>> startGuest();

    /** Completes when the guest is gone. */
    CompletionStage<Outcome<Outcome.Nothing>> stopGuest();

    /** Begins the end of the daemon; returns at once. */
    void shutdown();

    /** Prometheus text. */
    String metrics();
}
