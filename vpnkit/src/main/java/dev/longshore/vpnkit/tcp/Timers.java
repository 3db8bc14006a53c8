package dev.longshore.vpnkit.tcp;

import io.netty.util.concurrent.EventExecutor;
import io.netty.util.concurrent.ScheduledFuture;
import java.util.Arrays;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * The timers of all flows, behind at most one timer of the event loop, and none while there is nothing to wait for: an idle
 * daemon sleeps.
 *
 * <p>Confined to the link's event loop.
 *
 * <p>Theory of operation: an intrusive binary heap by deadline, one entry a flow. Setting an earlier deadline moves the
 * entry; a later one leaves it, and the flow, woken too early, sets what it still needs. So an acknowledgment that
 * pushes the retransmission back costs no heap operation. Nanoseconds are compared by subtraction.
 */
final class Timers {
    /** Something with one deadline. */
    abstract static class Entry {
        private int index = -1;
        private long deadline;

        /** The deadline has passed; no deadline is set any more. */
        abstract void onTimer(long now);

        final boolean isSet() {
            return index >= 0;
        }
    }

    private final LongSupplier clock;
    private final EventExecutor loop;
    private Entry[] heap = new Entry[16];
    private int size;
    private @Nullable ScheduledFuture<?> alarm;
    private long alarmAt;
    private boolean firing;

    /** {@code clock}: nanoseconds of no origin. */
    Timers(EventExecutor loop, LongSupplier clock) {
        this.loop = loop;
        this.clock = clock;
    }

    long now() {
        return clock.getAsLong();
    }

    /** Wakes {@code e} at {@code deadline} or, if it was set before, at the earlier of both. */
    void wakeBy(Entry e, long deadline) {
        if (e.index < 0) {
            if (size == heap.length) {
                heap = Arrays.copyOf(heap, size * 2);
            }
            e.deadline = deadline;
            place(e, size++);
            up(e.index);
        } else if (deadline - e.deadline < 0) {
            e.deadline = deadline;
            up(e.index);
        } else {
            return;
        }
        if (e.index == 0) {
            setAlarm();
        }
    }

    /** Forgets it. Idempotent. */
    void cancel(Entry e) {
        int i = e.index;
        if (i < 0) {
            return;
        }
        e.index = -1;
        Entry last = heap[--size];
        if (i < size) {
            place(last, i);
            up(i);
            down(last.index);
        }
        heap[size] = heap[0]; // keeps no old entry reachable
        if (size == 0) {
            heap = new Entry[16];
            if (alarm != null && !firing) {
                alarm.cancel(false);
                alarm = null;
            }
        }
    }

    private void setAlarm() {
        if (firing) {
            return; // set once, when all due entries have run
        }
        long deadline = heap[0].deadline;
        if (alarm != null) {
            if (deadline - alarmAt >= 0) {
                return; // it wakes too early once
            }
            alarm.cancel(false);
        }
        alarmAt = deadline;
        alarm = loop.schedule(this::fire, Math.max(0, deadline - now()), TimeUnit.NANOSECONDS);
    }

    private void fire() {
        alarm = null;
        firing = true;
        try {
            long now = now();
            while (size > 0 && heap[0].deadline - now <= 0) {
                Entry due = heap[0];
                cancel(due);
                due.onTimer(now);
            }
        } finally {
            firing = false;
            if (size > 0) {
                setAlarm();
            }
        }
    }

    private void place(Entry e, int i) {
        heap[i] = e;
        e.index = i;
    }

    private void up(int i) {
        Entry e = heap[i];
        while (i > 0) {
            int parent = (i - 1) >>> 1;
            if (e.deadline - heap[parent].deadline >= 0) {
                break;
            }
            place(heap[parent], i);
            i = parent;
        }
        place(e, i);
    }

    private void down(int i) {
        Entry e = heap[i];
        for (int child = 2 * i + 1; child < size; child = 2 * i + 1) {
            if (child + 1 < size && heap[child + 1].deadline - heap[child].deadline < 0) {
                child++;
            }
            if (heap[child].deadline - e.deadline >= 0) {
                break;
            }
            place(heap[child], i);
            i = child;
        }
        place(e, i);
    }

    /** Called under assert. */
    boolean checkInvariants() {
        for (int i = 0; i < size; i++) {
            assert heap[i].index == i : "index";
            assert i == 0 || heap[i].deadline - heap[(i - 1) >>> 1].deadline >= 0 : "heap order";
        }
        assert size == 0 || alarm != null || firing : "no alarm";
        return true;
    }

    int size() {
        return size;
    }
}
