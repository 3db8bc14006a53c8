package dev.longshore.control;

import java.time.Duration;
import java.time.Instant;
import java.util.List;

/** What happened, in order. Thread-safe. */
public interface Events {
    /** What is kept with a greater sequence, oldest first; at most {@code limit}. */
    List<Event> after(long sequence, int limit);

    /** Calls {@code wake} after each new event, and when there will be none any more; on any thread, so it must be quick. */
    Subscription onNew(Runnable wake);

    /** True if no event will follow. */
    boolean ended();

    /** Ends the calls. */
    interface Subscription extends AutoCloseable {
        @Override
        void close();
    }

    /**
     * One event.
     *
     * @param sequence 1 and up, without gaps
     */
    record Event(long sequence, Instant time, What what) {}

    /** As in {@code events.proto}. */
    sealed interface What {}

    record Step(String name, Phase phase, String text, Duration elapsed) implements What {}

    record StateChanged(Status.State state, String text) implements What {}

    record PortChanged(boolean exposed, String text) implements What {}

    record SettingsChanged(List<String> keys, String text) implements What {}

    /** A decision of the egress policy. */
    record PolicyDecided(
            String attempt, PolicyControl.Action action, boolean dryRun, String rule, long like, String text)
            implements What {}

    record Notice(String text) implements What {}

    enum Phase {
        BEGUN,
        PROGRESS,
        DONE,
        FAILED
    }
}
