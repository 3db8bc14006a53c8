package dev.longshore.fileshare.watch;

/** The way to the guest's agent. Thread-safe. */
public interface EventSink {
    /**
     * Sends a line of {@code guest/events.c}, without its end. Each is answered by one call of {@link HostWatch#answered}, or all are lost
     * with the session.
     */
    void send(String line);
}
