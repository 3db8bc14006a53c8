package dev.longshore.backend;

import dev.longshore.control.Captures;
import dev.longshore.control.Flows;
import dev.longshore.control.Outcome;
import dev.longshore.packet.capture.Capture;
import dev.longshore.packet.capture.CaptureFilter;
import dev.longshore.packet.capture.Taps;
import dev.longshore.packet.link.FrameTap;
import dev.longshore.packet.wire.IpAddress;
import dev.longshore.packet.wire.IpProtocol;
import dev.longshore.vpnkit.flow.ContainerIdentity;
import dev.longshore.vpnkit.flow.FlowSnapshot;
import dev.longshore.vpnkit.flow.FlowSnapshots;
import dev.longshore.vpnkit.flow.SeenFlow;
import io.netty.channel.EventLoop;
import java.net.InetSocketAddress;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * One network as observers see it: its flows and its frames. Thread-safe: what touches the network is done on its loop, and
 * {@link #captures} belongs to the loop.
 */
final class NetworkView implements Flows, Captures {
    private static final int MAX_CAPTURES = 4;

    private final EventLoop loop;
    private final Consumer<List<SeenFlow>> flows;
    private final Consumer<@Nullable FrameTap> tap;
    private final Predicate<IpAddress> isGuestItself;
    private final List<Capture> captures = new ArrayList<>();
    private final AtomicInteger captureCount = new AtomicInteger();

    /** The same moment on both clocks, so that a flow's start is the same in every look. */
    private final long bornEpochNanos;

    private final long bornNanos = System.nanoTime();

    /**
     * Of a network whose clock is {@code System::nanoTime}.
     *
     * @param flows adds all flows, on the loop
     * @param tap sets the link's tap, on the loop
     * @param isGuestItself of addresses that are no container's
     */
    NetworkView(
            EventLoop loop,
            Consumer<List<SeenFlow>> flows,
            Consumer<@Nullable FrameTap> tap,
            Predicate<IpAddress> isGuestItself) {
        this.loop = loop;
        this.flows = flows;
        this.tap = tap;
        this.isGuestItself = isGuestItself;
        Instant now = Instant.now();
        bornEpochNanos = now.getEpochSecond() * 1_000_000_000 + now.getNano();
    }

    private long epochNanos(long nanoTime) {
        return bornEpochNanos + (nanoTime - bornNanos);
    }

    @Override
    public CompletionStage<Outcome<List<Flow>>> look() {
        return FlowSnapshots.take(loop, flows)
                .<Outcome<List<Flow>>>thenApply(
                        all -> new Outcome.Done<>(all.stream().map(this::flow).toList()))
                .exceptionally(e -> {
                    if (e instanceof RejectedExecutionException) {
                        return gone();
                    }
                    throw new IllegalStateException(e);
                });
    }

    private static <T> Outcome<T> gone() {
        return new Outcome.Failed<>(Outcome.Reason.WRONG_STATE, "the guest's network has just ended");
    }

    private Flow flow(FlowSnapshot s) {
        long opened = epochNanos(s.openedAt());
        InetSocketAddress host = s.hostAddress();
        return new Flow(
                protocol(s.protocol()),
                new End(s.guest().toString(), s.guestPort()),
                new End(s.remote().toString(), s.remotePort()),
                host == null || host.isUnresolved()
                        ? null
                        : new End(IpAddress.of(host.getAddress()).toString(), host.getPort()),
                s.intoGuest() ? Opener.HOST : Opener.GUEST,
                s.state(),
                s.bytesFromGuest(),
                s.bytesToGuest(),
                s.retransmissions(),
                s.smoothedRttNanos() < 0 ? OptionalLong.empty() : OptionalLong.of(s.smoothedRttNanos() / 1000),
                Instant.ofEpochSecond(0, opened),
                s.queuedToGuest(),
                container(s.owner()),
                s.owner() == null && isGuestItself.test(s.guest()));
    }

    private static @Nullable Container container(@Nullable ContainerIdentity who) {
        return who == null
                ? null
                : new Container(who.id(), who.name(), who.image(), who.project(), who.service(), who.networks());
    }

    private static Protocol protocol(int protocol) {
        return switch (protocol) {
            case IpProtocol.TCP -> Protocol.TCP;
            case IpProtocol.UDP -> Protocol.UDP;
            default -> Protocol.ICMP;
        };
    }

    @Override
    public Outcome<Session> begin(String filter, int snapLength, long count, Runnable wake) {
        CaptureFilter parsed;
        try {
            parsed = CaptureFilter.parse(filter);
        } catch (IllegalArgumentException e) {
            return new Outcome.Failed<>(Outcome.Reason.INVALID, "the filter: " + e.getMessage());
        }
        if (captureCount.incrementAndGet() > MAX_CAPTURES) {
            captureCount.decrementAndGet();
            return new Outcome.Failed<>(Outcome.Reason.LIMIT, MAX_CAPTURES + " captures run already");
        }
        Capture capture = new Capture(parsed, snapLength, count, () -> epochNanos(System.nanoTime()), wake);
        try {
            loop.execute(() -> {
                captures.add(capture);
                tap.accept(Taps.of(captures));
            });
        } catch (RejectedExecutionException e) {
            captureCount.decrementAndGet();
            return gone();
        }
        return new Outcome.Done<>(new Running(capture));
    }

    private void remove(Capture capture) {
        if (captures.remove(capture)) {
            captureCount.decrementAndGet();
            tap.accept(Taps.of(captures));
        }
    }

    /** Ends all captures. On the loop, before the network closes. */
    void close() {
        assert loop.inEventLoop();
        for (Capture capture : List.copyOf(captures)) {
            remove(capture);
            capture.end();
        }
    }

    /** One caller's capture. */
    private final class Running implements Session {
        private final Capture capture;

        Running(Capture capture) {
            this.capture = capture;
        }

        @Override
        public void drain(Captures.Reader reader) {
            capture.drain((time, fromGuest, frameBytes, b, at, len) ->
                    reader.frame(time, fromGuest, frameBytes, b.nioBuffer(at, len)));
        }

        @Override
        public boolean ended() {
            return capture.ended();
        }

        @Override
        public long dropped() {
            return capture.dropped();
        }

        @Override
        public void end() {
            capture.end();
            try {
                loop.execute(() -> remove(capture));
            } catch (RejectedExecutionException e) {
                // The loop has ended, and the tap with it.
            }
        }
    }
}
