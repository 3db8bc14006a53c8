package dev.longshore.vpnkit.hostsocket;

import io.netty.channel.EventLoop;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * A remote that vanished must not hold a flow for ever, so the kernel asks every silent one after two hours (SO_KEEPALIVE).
 * Most connections are over within a second and never come to that: only those that have lived through a whole round
 * of some seconds are worth the system call.
 *
 * <p>Confined to one event loop. Theory of operation: a list by age, linked through the sockets themselves, and one timer
 * for all of them, none while the list is empty.
 */
final class KeepAlives {
    static final int ROUND_SECONDS = 10;

    private final EventLoop loop;
    private @Nullable HostSocket oldest;
    private @Nullable HostSocket youngest;
    private int round;
    private boolean scheduled;

    KeepAlives(EventLoop loop) {
        this.loop = loop;
    }

    /** A socket that has just been connected; not in the list. */
    void add(HostSocket socket) {
        HostSocket before = youngest;
        socket.bornIn = round;
        socket.older = before;
        if (before == null) {
            oldest = socket;
        } else {
            before.younger = socket;
        }
        youngest = socket;
        if (!scheduled) {
            schedule();
        }
    }

    private void schedule() {
        scheduled = true;
        loop.schedule(this::endRound, ROUND_SECONDS, TimeUnit.SECONDS);
    }

    /** Idempotent. */
    void remove(HostSocket socket) {
        HostSocket before = socket.older;
        HostSocket after = socket.younger;
        if (before != null) {
            before.younger = after;
        } else if (socket.equals(oldest)) {
            oldest = after;
        } else {
            return;
        }
        if (after != null) {
            after.older = before;
        } else {
            youngest = before;
        }
        socket.older = null;
        socket.younger = null;
    }

    private void endRound() {
        scheduled = false;
        for (HostSocket s = oldest; s != null && s.bornIn != round; s = oldest) {
            remove(s);
            s.keepAlive();
        }
        round++;
        if (oldest != null) {
            schedule();
        }
    }
}
