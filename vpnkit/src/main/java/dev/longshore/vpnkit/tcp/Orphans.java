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

    /** Linux tcp_fin_timeout. */
    static final long TIMEOUT = TimeUnit.SECONDS.toNanos(60);

    private final Timers timers;
    private final ArrayDeque<Orphan> oldestFirst = new ArrayDeque<>();

    Orphans(Timers timers) {
        this.timers = timers;
    }

    private final class Orphan extends Timers.Entry {
        final HostSide side;

        Orphan(HostSide side) {
            this.side = side;
        }

        @Override
        void onTimer(long now) {
            oldestFirst.remove(this);
            side.abort();
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
