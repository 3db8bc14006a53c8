package dev.longshore.backend;

import dev.longshore.control.Events;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Locale;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Starts parts in order; where one fails, stops those before it in reverse order. Confined to the lifecycle thread. Used
 * once: after a stop, a new one is made.
 */
final class Lifecycle {
    private static final Logger LOG = LoggerFactory.getLogger(Lifecycle.class);

    private final List<Part> parts;
    private final Steps steps;
    private final Deque<Part> started = new ArrayDeque<>();

    Lifecycle(List<Part> parts, Steps steps) {
        this.parts = List.copyOf(parts);
        this.steps = steps;
    }

    /**
     * Starts all parts; on failure none runs.
     *
     * @throws PartException for the user: the part's own text, or the part's name and the error
     * @throws InterruptedException if the thread was interrupted: the start is not wanted any more
     */
    void start() throws PartException, InterruptedException {
        for (Part part : parts) {
            long since = System.nanoTime();
            try {
                if (Thread.interrupted()) {
                    throw new InterruptedException();
                }
                report(part, Events.Phase.BEGUN, part.title(), since);
                part.start(text -> report(part, Events.Phase.PROGRESS, text, since));
                started.push(part);
                report(part, Events.Phase.DONE, part.title(), since);
            } catch (InterruptedException e) {
                report(part, Events.Phase.FAILED, "cancelled", since);
                stop();
                throw e;
            } catch (Exception e) {
                // Interrupts also end I/O by exceptions of their own; Thread.interrupted() tells them apart.
                boolean cancelled = Thread.interrupted();
                String text = cancelled ? "cancelled" : describe(part, e);
                report(part, Events.Phase.FAILED, text, since);
                stop();
                if (cancelled) {
                    throw new InterruptedException();
                }
                throw e instanceof PartException p ? p : new PartException(text, e);
            }
        }
    }

    /** Stops what runs, the last one first; a part that fails to stop does not keep the others. Idempotent. */
    void stop() {
        while (!started.isEmpty()) {
            Part part = started.pop();
            long since = System.nanoTime();
            try {
                part.stop();
                LOG.info("stopped {} in {} ms", part.name(), millis(since));
            } catch (Exception e) {
                LOG.error("{} did not stop properly", part.name(), e);
            }
        }
    }

    private void report(Part part, Events.Phase phase, String text, long since) {
        switch (phase) {
            case BEGUN -> LOG.info("{}: {}", part.name(), text);
            case PROGRESS -> LOG.debug("{}: {}", part.name(), text);
            case DONE -> LOG.info("{}: done in {} ms", part.name(), millis(since));
            case FAILED -> LOG.warn("{}: {}", part.name(), text);
        }
        if (part.title().isEmpty() && phase != Events.Phase.FAILED) {
            return;
        }
        steps.onStep(new Events.Step(part.name(), phase, text, Duration.ofNanos(System.nanoTime() - since)));
    }

    private static String describe(Part part, Exception e) {
        if (e instanceof PartException) {
            return String.valueOf(e.getMessage());
        }
        LOG.error("{} failed to start", part.name(), e);
        return part.name() + ": " + e.getClass().getSimpleName()
                + (e.getMessage() == null ? "" : ": " + e.getMessage());
    }

    private static String millis(long since) {
        return String.format(Locale.ROOT, "%.0f", (System.nanoTime() - since) / 1e6);
    }

    /** Hears of each step. */
    interface Steps {
        void onStep(Events.Step step);
    }
}
