package dev.longshore.vpnkit.hostsocket;

import io.netty.channel.ChannelFuture;
import io.netty.channel.EventLoop;
import io.netty.channel.socket.SocketChannel;
import io.netty.util.concurrent.Future;
import io.netty.util.concurrent.Promise;
import io.netty.util.concurrent.ScheduledFuture;
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

    private final HostSockets sockets;
    private final List<InetAddress> targets;
    private final int port;
    private final int hops;
    private final EventLoop loop;
    private final long timeoutMillis;
    private final Promise<DialResult> result;
    private final List<SocketChannel> connecting = new ArrayList<>();
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
        deadline = loop.schedule(() -> end(new DialResult.TimedOut()), timeoutMillis, TimeUnit.MILLISECONDS);
        result.addListener(this::onDone);
        startNext();
    }

    private void startNext() {
        cancel(nextStart);
        nextStart = null;
        if (result.isDone() || next == targets.size()) {
            return;
        }
        InetSocketAddress target = new InetSocketAddress(targets.get(next++), port);
        if (next < targets.size()) {
            nextStart = loop.schedule(this::startNext, STAGGER_MILLIS, TimeUnit.MILLISECONDS);
        }
        SocketChannel channel;
        try {
            channel = sockets.open(loop, target.getAddress() instanceof Inet4Address);
        } catch (RuntimeException e) { // ChannelException: no descriptor left
            failed(new DialResult.Failed(String.valueOf(e.getCause() == null ? e : e.getCause())));
            return;
        }
        boolean v4 = target.getAddress() instanceof Inet4Address;
        channel.config().setConnectTimeoutMillis(0); // the deadline is ours
        LimitedHops.limit(channel, v4, hops);
        connecting.add(channel);
        loop.register(channel).addListener(registered -> {
            if (registered.isSuccess()) {
                channel.connect(target).addListener(connected -> onConnect(channel, v4, (ChannelFuture) connected));
            } else {
                onFailure(channel, v4, registered.cause());
            }
        });
    }

    private void onConnect(SocketChannel channel, boolean v4, ChannelFuture connected) {
        if (!connected.isSuccess()) {
            onFailure(channel, v4, connected.cause());
            return;
        }
        connecting.remove(channel);
        if (isToItself(channel)) {
            ResetClose.close(channel); // an ordinary close would keep the port from its owner for a minute
            if (!result.isDone()) {
                failed(new DialResult.Refused());
            }
            return;
        }
        LimitedHops.lift(channel, v4, hops);
        if (!result.trySuccess(new DialResult.Connected(channel))) {
            channel.close(); // cancelled, or another address was faster
        }
    }

    /**
     * On the loopback, the port that the kernel chose for our end may be the very one we call, where nobody listens: by RFC 9293's
     * simultaneous open (§3.5, Figure 8) the socket is then connected to itself, and would answer with what it is told.
     */
    private static boolean isToItself(SocketChannel channel) {
        InetSocketAddress here = channel.localAddress();
        return here != null && here.equals(channel.remoteAddress());
    }

    private void onFailure(SocketChannel channel, boolean v4, Throwable cause) {
        connecting.remove(channel);
        RouterError said = LimitedHops.said(channel, v4, hops);
        channel.close();
        if (!result.isDone()) {
            failed(said == null ? sockets.failure(cause) : new DialResult.Unreachable(false, "told by a router", said));
        }
    }

    private void failed(DialResult why) {
        if (failure == null || failure instanceof DialResult.Unreachable) {
            failure = why; // an answer of the remote says more than a missing route
        }
        if (next < targets.size()) {
            startNext();
        } else if (connecting.isEmpty()) {
            end(failure);
        }
    }

    private void end(DialResult why) {
        result.trySuccess(why);
    }

    /** Connected, failed, timed out or cancelled: nothing of this attempt stays, except the winner. */
    private void onDone(Future<? super DialResult> done) {
        cancel(nextStart);
        cancel(deadline);
        for (SocketChannel loser : List.copyOf(connecting)) {
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
