package dev.longshore.backend;

import dev.longshore.control.Events;
import java.time.Clock;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;

/**
 * The last thousand events. Thread-safe: the log is synchronized, and watchers are woken after the lock is released.
 */
final class EventLog implements Events {
    private static final int KEPT = 1000;

    private final Clock clock;
    private final Deque<Event> events = new ArrayDeque<>();
    private final List<Runnable> watchers = new CopyOnWriteArrayList<>();
    private long sequence;
    private boolean ended;

    EventLog(Clock clock) {
        this.clock = clock;
    }

    /** The event's sequence; the last one's if nothing can be added any more. */
    long add(What what) {
        long added;
        synchronized (this) {
            if (ended) {
                return sequence;
            }
            added = ++sequence;
            events.addLast(new Event(added, clock.instant(), what));
            if (events.size() > KEPT) {
                events.removeFirst();
            }
        }
        watchers.forEach(Runnable::run);
        return added;
    }

    /** No event follows. */
    void end() {
        synchronized (this) {
            ended = true;
        }
        watchers.forEach(Runnable::run);
    }

    @Override
    public synchronized List<Event> after(long after, int limit) {
        long skip = sequence - after; // how many there are after it; the kept ones are the last of them
        return events.stream()
                .skip(Math.max(0, events.size() - Math.max(0, skip)))
                .limit(limit)
                .toList();
    }

    @Override
    public Subscription onNew(Runnable wake) {
        watchers.add(wake);
        return () -> watchers.remove(wake);
    }

    @Override
    public synchronized boolean ended() {
        return ended;
    }
}
