package dev.longshore.vpnkit.tcp;

import static dev.longshore.packet.wire.TcpHeader.ACK;
import static dev.longshore.packet.wire.TcpHeader.FIN;
import static dev.longshore.packet.wire.TcpHeader.RST;
import static dev.longshore.packet.wire.TcpHeader.SYN;
import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.packet.wire.IpAddress;
import dev.longshore.packet.wire.TcpHeader;
import dev.longshore.testkit.GuestEnd;
import dev.longshore.testkit.Received;
import dev.longshore.testkit.TcpGuest;
import dev.longshore.vpnkit.hostsocket.DialResult;
import io.netty.buffer.Unpooled;
import io.netty.util.concurrent.Future;
import java.time.Duration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Flows into the guest: RFC 9293 §3.5 from the other side, and who the guest believes to be called by. */
class GuestCallsTest {
    private static final IpAddress CLIENT = IpAddress.parse("198.51.100.20");
    private static final IpAddress CONTAINER = IpAddress.parse("172.17.0.2");

    private final TcpBench bench = new TcpBench();
    private final TcpGuest container;

    GuestCallsTest() {
        bench.guestEnd.address(CONTAINER);
        container = new TcpGuest(bench.guestEnd, 80, CLIENT, 50_000);
    }

    @AfterEach
    void close() {
        bench.close();
    }

    private FakeHost forward() {
        FakeHost host = new FakeHost(bench.loop);
        bench.calls.forwardTcp(host.channel, CONTAINER, 80, CLIENT, 50_000);
        bench.run();
        return host;
    }

    @Test
    void containerSeesTheClient_andTalksToIt() {
        FakeHost host = forward();
        host.sends("GET /");
        bench.run();
        TcpGuest.Segment syn = container.receives();
        assertThat(syn.flags()).isEqualTo(SYN);
        assertThat(syn.mss()).isEqualTo(1460);
        assertThat(syn.windowScale()).isEqualTo(8);
        container.sendsSynAck(700, syn.seq() + 1, 1460, 7);
        container.receives(ACK, syn.seq() + 1, 701);
        bench.run();
        container.receives(ACK, syn.seq() + 1, 701, "GET /");
        container.sends(ACK, 701, syn.seq() + 6, "200 OK");
        container.receives(ACK, syn.seq() + 6, 707);
        assertThat(host.takeText()).isEqualTo("200 OK");
        assertThat(bench.stack.snapshot().getFirst().intoGuest()).isTrue();

        container.sends(FIN | ACK, 707, syn.seq() + 6);
        container.receives(ACK, syn.seq() + 6, 708);
        assertThat(host.sawEof()).isTrue();
        host.finishes();
        bench.run();
        container.receives(FIN | ACK, syn.seq() + 6, 708);
        container.sends(ACK, 708, syn.seq() + 7);
        assertThat(host.isClosed()).isTrue();
        assertThat(host.isReset()).isFalse();
        assertThat(bench.stack.flowCount()).isZero();
    }

    @Test
    void refused_resetsTheClient() {
        FakeHost host = forward();
        int iss = container.receives().seq();
        container.sends(RST | ACK, 0, iss + 1);
        bench.run();
        assertThat(host.isReset()).isTrue();
        assertThat(bench.stack.flowCount()).isZero();
    }

    @Test
    void silence_isRepeatedThenGivenUp() {
        FakeHost host = forward();
        bench.advance(Duration.ofSeconds(70));
        assertThat(bench.guestEnd.receivedCount()).isEqualTo(6);
        assertThat(host.isClosed()).isTrue();
        assertThat(bench.stack.flowCount()).isZero();
        bench.guestEnd.clearReceived();
    }

    @Test
    void icmpUnreachable_endsTheCall() {
        FakeHost host = forward();
        container.receives();
        bench.stack.onUnreachable(CONTAINER.hi(), CONTAINER.lo(), 80, CLIENT.hi(), CLIENT.lo(), 50_000, 1);
        bench.run();
        assertThat(host.isClosed()).isTrue();
        assertThat(bench.stack.flowCount()).isZero();
    }

    @Test
    void clientThatHalfClosedAtOnce_isServed() {
        FakeHost host = new FakeHost(bench.loop);
        host.sends("all of it");
        host.channel.read();
        bench.calls.forwardTcp(host.channel, CONTAINER, 80, CLIENT, 50_000);
        host.finishes();
        bench.run();
        int iss = container.receives().seq();
        container.sendsSynAck(700, iss + 1, 1460, 7);
        bench.run();
        StringBuilder got = new StringBuilder();
        boolean fin = false;
        while (bench.guestEnd.hasReceived()) {
            TcpGuest.Segment s = container.receives();
            got.append(s.text());
            fin |= s.has(FIN);
        }
        assertThat(got).hasToString("all of it");
        assertThat(fin).isTrue();
        assertThat(host.isReset()).isFalse();
    }

    @Test
    void clientThatLeavesBeforeTheAnswer_endsTheCall() {
        FakeHost host = forward();
        int iss = container.receives().seq();
        host.resets();
        bench.run();
        assertThat(bench.stack.flowCount()).isZero();
        container.sendsSynAck(700, iss + 1, 1460, 7);
        container.receives(RST, iss + 1, 0);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"127.0.0.1", "192.168.65.1", "192.168.65.77", "172.17.0.2", "::1", "2001:db8::1", "0.0.0.0"})
    void callerTheGuestCouldNotAnswer_isTheGateway(String source) {
        FakeHost host = new FakeHost(bench.loop);
        bench.calls.forwardTcp(host.channel, CONTAINER, 80, IpAddress.parse(source), 50_000);
        bench.run();
        Received syn = bench.guestEnd.receive();
        assertThat(syn.source()).isEqualTo(GuestEnd.GATEWAY);
        assertThat(TcpHeader.sourcePort(syn.frame(), syn.transportAt())).isBetween(32_768, 60_999);
    }

    @Test
    void sameCallerTwice_secondComesFromTheGateway() {
        forward();
        forward();
        container.receives();
        assertThat(bench.guestEnd.receive().source()).isEqualTo(GuestEnd.GATEWAY);
    }

    @Test
    void callerInOurTimeWait_mayCallAgainWithHigherNumbers() {
        FakeHost host = forward();
        int iss = container.receives().seq();
        container.sendsSynAck(700, iss + 1, 1460, 7);
        container.receives(ACK, iss + 1, 701);
        host.finishes();
        bench.run();
        container.receives(FIN | ACK, iss + 1, 701);
        container.sends(FIN | ACK, 701, iss + 2);
        container.receives(ACK, iss + 2, 702);
        forward();
        TcpGuest.Segment again = container.receives();
        assertThat(again.flags()).isEqualTo(SYN);
        assertThat(again.seq() - (iss + 2)).isPositive();
    }

    /** Lesson 22: the guest still holds the last connection in TIME-WAIT and answers the SYN by an old ACK. */
    @Test
    void guestInTimeWait_isResetAndCalledAgainAtOnce() {
        forward();
        TcpGuest.Segment syn = container.receives();
        container.sends(ACK, 5000, 6000);
        container.receives(RST, 6000, 0);
        TcpGuest.Segment again = container.receives();
        assertThat(again.flags()).isEqualTo(SYN);
        assertThat(again.seq()).isEqualTo(syn.seq());
    }

    @Test
    void simultaneousOpen_works() {
        forward();
        int iss = container.receives().seq();
        container.sendsSyn(900, 1460, 7);
        container.receives(SYN | ACK, iss, 901);
        container.sends(ACK, 901, iss + 1);
        assertThat(bench.stack.snapshot().getFirst().state()).isEqualTo("ESTABLISHED");
    }

    @Test
    void connectTcp_givesAChannel() {
        Future<DialResult> call = bench.calls.connectTcp(CONTAINER, 8080);
        bench.run();
        Received syn = bench.guestEnd.receive();
        int port = TcpHeader.sourcePort(syn.frame(), syn.transportAt());
        int iss = TcpHeader.seq(syn.frame(), syn.transportAt());
        TcpGuest server = new TcpGuest(bench.guestEnd, 8080, GuestEnd.GATEWAY, port);
        assertThat(call.isDone()).isFalse();
        server.sendsSynAck(10, iss + 1, 1460, 7);
        server.receives(ACK, iss + 1, 11);
        DialResult.Connected connected = (DialResult.Connected) call.getNow();
        connected.channel().writeAndFlush(Unpooled.wrappedBuffer(new byte[] {'h', 'i'}));
        bench.run();
        server.receives(ACK, iss + 1, 11, "hi");
        connected.channel().close();
        bench.run();
        server.receives(FIN | ACK, iss + 3, 11);
    }

    @Test
    void connectTcp_refused() {
        Future<DialResult> call = bench.calls.connectTcp(CONTAINER, 8080);
        bench.run();
        Received syn = bench.guestEnd.receive();
        int port = TcpHeader.sourcePort(syn.frame(), syn.transportAt());
        new TcpGuest(bench.guestEnd, 8080, GuestEnd.GATEWAY, port)
                .sends(RST | ACK, 0, TcpHeader.seq(syn.frame(), syn.transportAt()) + 1);
        assertThat(call.getNow()).isEqualTo(new DialResult.Refused());
    }

    @Test
    void connectTcp_cancelled_leavesNothing() {
        Future<DialResult> call = bench.calls.connectTcp(CONTAINER, 8080);
        bench.run();
        call.cancel(false);
        assertThat(bench.stack.flowCount()).isZero();
        bench.guestEnd.clearReceived();
    }
}
