package dev.longshore.vpnkit.tcp;

import dev.longshore.vpnkit.flow.HostSide;
import java.util.ArrayDeque;
import java.util.concurrent.TimeUnit;

/**
 * Host sides whose flow is over while the remote still has bytes to take. They are in no flow's limit any more, so a remote
 * that reads nothing could collect sockets here: bounded in number and in time, like Linux tcp_max_orphans. Confined to the
 * link's event loop.
 */
final class Orphans {
    static final int MAX = 512;

    /**
     * How long a remote may take nothing at all. A slow one has the time it needs: the guest was told that its bytes
     * arrived; and the kernel's own buffer of megabytes drains first.
     */
    static final long TIMEOUT = TimeUnit.MINUTES.toNanos(10);

    private final Timers timers;
    private final ArrayDeque<Orphan> oldestFirst = new ArrayDeque<>();

    Orphans(Timers timers) {
        this.timers = timers;
    }

    private final class Orphan extends Timers.Entry {
        final HostSide side;
        private int heldBefore;

        Orphan(HostSide side) {
            this.side = side;
            this.heldBefore = side.held();
        }

        @Override
        void onTimer(long now) {
            int held = side.held();
            if (held > 0 && held < heldBefore) {
                heldBefore = held;
                timers.wakeBy(this, now + TIMEOUT);
                return;
            }
            oldestFirst.remove(this);
            if (held > 0) {
                side.abort();
            }
        }
    }

    /** Takes ownership of {@code side}, which closes itself when all has been written. */
    void add(HostSide side) {
        if (oldestFirst.size() == MAX) {
            forgetThoseDone();
        }
        if (oldestFirst.size() == MAX) {
            Orphan oldest = oldestFirst.remove();
            timers.cancel(oldest);
            oldest.side.abort();
        }
        Orphan orphan = new Orphan(side);
        oldestFirst.add(orphan);
        timers.wakeBy(orphan, timers.now() + TIMEOUT);
    }

    private void forgetThoseDone() {
        oldestFirst.removeIf(o -> {
            boolean done = o.side.held() == 0;
            if (done) {
                timers.cancel(o);
            }
            return done;
        });
    }

    int size() {
        return oldestFirst.size();
    }
}
