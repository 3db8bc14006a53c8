package dev.longshore.vpnkit.hostsocket;

import io.netty.channel.ChannelFuture;
import io.netty.channel.EventLoop;
import io.netty.util.concurrent.Future;
import io.netty.util.concurrent.Promise;
import io.netty.util.concurrent.ScheduledFuture;
import java.io.IOException;
import java.net.Inet4Address;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * One dial: the addresses in their order, the next one when the last failed or was silent for a while (RFC 8305 §5); the
 * first connection wins, all others are closed. One deadline for the whole.
 *
 * <p>Confined to the loop of the dial.
 */
final class DialAttempt {
    /** RFC 8305 §5: Connection Attempt Delay. */
    private static final long STAGGER_MILLIS = 250;

    /** Attempts that fail at once, before others of the loop have their turn: a name may have thousands of addresses. */
    private static final int STARTS_AT_ONCE = 8;

    private final HostSockets sockets;
    private final List<InetAddress> targets;
    private final int port;
    private final int hops;
    private final EventLoop loop;
    private final long timeoutMillis;
    private final Promise<DialResult> result;
    private final List<HostSocket> connecting = new ArrayList<>();
    private @Nullable ScheduledFuture<?> nextStart;
    private @Nullable ScheduledFuture<?> deadline;
    private @Nullable DialResult failure;
    private int next;

    DialAttempt(
            HostSockets sockets,
            List<InetAddress> targets,
            int port,
            int hops,
            EventLoop loop,
            long timeoutMillis,
            Promise<DialResult> result) {
        this.sockets = sockets;
        this.targets = targets;
        this.port = port;
        this.hops = hops;
        this.loop = loop;
        this.timeoutMillis = timeoutMillis;
        this.result = result;
    }

    void start() {
        assert loop.inEventLoop();
        goOn();
        if (!result.isDone()) { // mostly it is: a remote on this machine answers at once
            deadline = loop.schedule(() -> end(new DialResult.TimedOut()), timeoutMillis, TimeUnit.MILLISECONDS);
            result.addListener(this::onDone);
        }
    }

    /** Starts until one takes its time; that one gets a head start before the next. */
    private void goOn() {
        cancel(nextStart);
        nextStart = null;
        boolean waits = false;
        for (int i = 0; i < STARTS_AT_ONCE && !waits && !result.isDone() && next < targets.size(); i++) {
            waits = startOne(new InetSocketAddress(targets.get(next++), port));
        }
        if (result.isDone()) {
            return;
        }
        if (next < targets.size()) {
            nextStart = loop.schedule(this::goOn, waits ? STAGGER_MILLIS : 0, TimeUnit.MILLISECONDS);
        } else if (connecting.isEmpty()) {
            end(failure == null ? new DialResult.Failed("no address") : failure);
        }
    }

    /** True if it takes its time, false if it is decided already. */
    private boolean startOne(InetSocketAddress target) {
        boolean v4 = target.getAddress() instanceof Inet4Address;
        HostSocket socket;
        try {
            socket = sockets.open(loop, v4);
        } catch (IOException e) { // no descriptor left
            failed(ConnectErrors.classify(e));
            return false;
        }
        LimitedHops.limit(socket, v4, hops);
        ChannelFuture registered = loop.register(socket); // at once, on the loop itself
        ChannelFuture connected = registered.isSuccess() ? socket.connect(target) : registered;
        if (connected.isDone()) {
            onConnect(socket, v4, connected);
            return false;
        }
        connecting.add(socket);
        connected.addListener(done -> {
            connecting.remove(socket);
            onConnect(socket, v4, connected);
            if (!result.isDone()) {
                goOn();
            }
        });
        return true;
    }

    private void onConnect(HostSocket socket, boolean v4, ChannelFuture connected) {
        @Nullable Throwable cause = connected.cause();
        if (cause != null) {
            RouterError said = LimitedHops.said(socket, v4, hops);
            socket.close();
            failed(
                    said == null
                            ? ConnectErrors.classify(cause)
                            : new DialResult.Unreachable(false, "told by a router", said));
            return;
        }
        if (socket.isToItself()) {
            ResetClose.close(socket); // an ordinary close would keep the port from its owner for a minute
            failed(new DialResult.Refused());
            return;
        }
        LimitedHops.lift(socket, v4, hops);
        if (!result.trySuccess(new DialResult.Connected(socket))) {
            socket.close(); // cancelled, or another address was faster
        }
    }

    private void failed(DialResult why) {
        if (failure == null || failure instanceof DialResult.Unreachable) {
            failure = why; // an answer of the remote says more than a missing route
        }
    }

    private void end(DialResult why) {
        result.trySuccess(why);
    }

    /** Connected, failed, timed out or cancelled: nothing of this attempt stays, except the winner. */
    private void onDone(Future<? super DialResult> done) {
        cancel(nextStart);
        cancel(deadline);
        for (HostSocket loser : List.copyOf(connecting)) {
            loser.close();
        }
        connecting.clear();
    }

    private static void cancel(@Nullable ScheduledFuture<?> task) {
        if (task != null) {
            task.cancel(false);
        }
    }
}
