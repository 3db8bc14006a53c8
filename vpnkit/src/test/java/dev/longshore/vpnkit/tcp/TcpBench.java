package dev.longshore.vpnkit.tcp;

import static dev.longshore.packet.wire.TcpHeader.ACK;
import static dev.longshore.packet.wire.TcpHeader.FIN;
import static dev.longshore.packet.wire.TcpHeader.SYN;
import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.packet.wire.IpAddress;
import dev.longshore.testkit.GuestEnd;
import dev.longshore.testkit.TcpGuest;
import dev.longshore.testkit.VirtualLink;
import dev.longshore.testkit.VirtualLoop;
import dev.longshore.vpnkit.flow.Services;
import dev.longshore.vpnkit.hostsocket.Destination;
import dev.longshore.vpnkit.hostsocket.DialResult;
import dev.longshore.vpnkit.hostsocket.Dialer;
import dev.longshore.vpnkit.ip.GuestAddresses;
import dev.longshore.vpnkit.ip.IpPlan;
import io.netty.channel.EventLoop;
import io.netty.util.concurrent.Future;
import io.netty.util.concurrent.Promise;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Objects;
import java.util.Random;

/** A TCP stack on a virtual link in virtual time, with a scripted guest, a scripted dialer and hosts in memory. */
final class TcpBench implements AutoCloseable {
    static final IpAddress REMOTE = IpAddress.parse("203.0.113.9");
    static final int GUEST_PORT = 40_000;
    static final int REMOTE_PORT = 80;

    /** The guest's initial number: the first byte of text is number 0, across the wrap. */
    static final int GUEST_ISS = -1;

    static final int GUEST_MSS = 1460;

    final VirtualLoop loop = new VirtualLoop();
    final VirtualLink link = new VirtualLink();
    final GuestEnd guestEnd = new GuestEnd(link);
    final TcpGuest guest = new TcpGuest(guestEnd, GUEST_PORT, REMOTE, REMOTE_PORT);
    final TestIp ip = new TestIp(link);
    final Services services = new Services();
    final List<Unreachable> unreachables = new ArrayList<>();
    final Deque<Dial> dials = new ArrayDeque<>();
    final TcpStack stack;
    final GuestCalls calls;

    /** Our initial sequence number in {@link #guest}'s connection, once it was seen. */
    int iss;

    /** An ICMP error that the stack asked for. */
    record Unreachable(int code, int guestPort, int remotePort, int seq) {}

    /** A dial the stack asked for, open until the test answers. */
    record Dial(Destination destination, Promise<DialResult> promise) {
        void answers(DialResult result) {
            promise.trySuccess(result);
        }
    }

    TcpBench() {
        this(TcpLimits.defaults());
    }

    /** Acknowledges at once, unlike the product: most tests are about something else. */
    TcpBench(TcpLimits limits) {
        this(limits, Duration.ZERO);
    }

    TcpBench(TcpLimits limits, Duration ackDelay) {
        Dialer dialer = new Dialer() {
            @Override
            public Future<DialResult> dial(Destination destination, EventLoop on) {
                Dial d = new Dial(destination, on.newPromise());
                dials.add(d);
                return d.promise();
            }
        };
        stack = new TcpStack(
                ip,
                loop,
                dialer,
                services,
                (protocol, code, gHi, gLo, gPort, rHi, rLo, rPort, seq) ->
                        unreachables.add(new Unreachable(code, gPort, rPort, seq)),
                limits,
                ackDelay.toNanos(),
                loop.clock()::nanos,
                new Random(1));
        calls = new GuestCalls(stack, GuestAddresses.ofPlan(IpPlan.standard().withoutIpv6()), new Random(2));
        ip.open(stack);
        link.setUp(true);
    }

    void advance(Duration time) {
        loop.advance(time);
    }

    /** Runs what is due without letting time pass. */
    void run() {
        loop.runDue();
    }

    Dial dial() {
        return Objects.requireNonNull(dials.poll(), "no dial");
    }

    /** The next dial succeeds. */
    FakeHost connects() {
        FakeHost host = new FakeHost(loop);
        dial().answers(new DialResult.Connected(host.channel));
        run();
        return host;
    }

    /** A flow from the guest in ESTABLISHED, with windows of 64 KiB * 2^7 for us. */
    FakeHost established() {
        return established(GUEST_MSS, 7);
    }

    FakeHost established(int mss, int windowScale) {
        guest.sendsSyn(GUEST_ISS, mss, windowScale);
        FakeHost host = connects();
        TcpGuest.Segment synAck = guest.receives();
        assertThat(synAck.flags()).isEqualTo(SYN | ACK);
        assertThat(synAck.ack()).isEqualTo(0);
        iss = synAck.seq();
        guest.sends(ACK, 0, iss + 1);
        guest.receivesNothing();
        assertThat(flow().state()).isEqualTo(TcpState.ESTABLISHED);
        run();
        return host;
    }

    /** Established, then brought to {@code state} by FINs of either side. */
    FakeHost in(TcpState state) {
        FakeHost host = established();
        switch (state) {
            case ESTABLISHED -> {}
            case FIN_WAIT_1 -> hostFinishes(host);
            case FIN_WAIT_2 -> {
                hostFinishes(host);
                guest.sends(ACK, 0, iss + 2);
            }
            case CLOSE_WAIT -> guestFinishes(iss + 1);
            case CLOSING -> {
                hostFinishes(host);
                guestFinishes(iss + 1);
            }
            case LAST_ACK -> {
                guestFinishes(iss + 1);
                host.finishes();
                run();
                guest.receives(FIN | ACK, iss + 1, 1);
            }
            case TIME_WAIT -> {
                hostFinishes(host);
                guestFinishes(iss + 2);
            }
            case CLOSED, LISTEN, SYN_SENT, SYN_RECEIVED ->
                throw new IllegalArgumentException("not from here: " + state);
        }
        run();
        guest.receivesNothing();
        assertThat(flow().state()).isEqualTo(state);
        return host;
    }

    private void hostFinishes(FakeHost host) {
        host.finishes();
        run();
        guest.receives(FIN | ACK, iss + 1, 0);
    }

    private void guestFinishes(int ack) {
        guest.sends(FIN | ACK, 0, ack);
        guest.receives(ACK, ack == iss + 1 && flow().state() == TcpState.CLOSING ? iss + 2 : ack, 1);
    }

    TcpFlow flow() {
        return Objects.requireNonNull(stack.find(GuestEnd.GUEST, GUEST_PORT, REMOTE, REMOTE_PORT), "the flow is gone");
    }

    boolean isGone() {
        return stack.find(GuestEnd.GUEST, GUEST_PORT, REMOTE, REMOTE_PORT) == null;
    }

    long count(TcpCounter counter) {
        return stack.counters().get(counter);
    }

    /** Ends everything; nothing may be left behind. */
    @Override
    public void close() {
        stack.endAll();
        run();
        assertThat(stack.flowCount()).isZero();
        assertThat(stack.timers().size()).isEqualTo(stack.orphans().size());
        ip.close();
        loop.close();
    }
}
