package dev.longshore.vpnkit.tcp;

import static dev.longshore.packet.wire.TcpHeader.ACK;
import static dev.longshore.packet.wire.TcpHeader.FIN;
import static dev.longshore.testkit.GuestEnd.GATEWAY;
import static dev.longshore.testkit.GuestEnd.GATEWAY6;
import static dev.longshore.testkit.GuestEnd.GUEST;
import static dev.longshore.testkit.GuestEnd.GUEST6;
import static dev.longshore.testkit.GuestEnd.UNSPECIFIED;
import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.packet.wire.IcmpHeader;
import dev.longshore.packet.wire.IpAddress;
import dev.longshore.packet.wire.NdpMessage;
import dev.longshore.testkit.GuestEnd;
import dev.longshore.testkit.Received;
import dev.longshore.testkit.TcpGuest;
import dev.longshore.vpnkit.hostsocket.DialResult;
import io.netty.util.concurrent.Future;
import java.time.Duration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Calls to the guest itself, whose programs listen in both families or in one; through the whole network. */
class GuestItselfTest {
    private static final IpAddress V4_CALLER = IpAddress.parse("198.51.100.20");
    private static final IpAddress V6_CALLER = IpAddress.parse("2001:db8::20");
    private static final IpAddress BY_PREFIX = IpAddress.parse("fdc4:f303:9324::4c:53ff:fe00:3");

    private final CallBench bench = new CallBench();
    private final GuestEnd guest = bench.guest;

    GuestItselfTest() {
        guest.sendPing(GATEWAY, 1, 1, new byte[8]); // now its IPv4 address is known
        guest.clearReceived();
    }

    @AfterEach
    void close() {
        bench.close();
    }

    /** The guest speaks from {@code address}. */
    private void heardFrom(IpAddress address) {
        guest.address(address).sendPing(GATEWAY6, 1, 1, new byte[8]);
        guest.clearReceived();
    }

    private FakeHost call(IpAddress to, IpAddress caller) {
        return bench.call(to, caller);
    }

    private Received receiveSyn(IpAddress to, IpAddress from) {
        return bench.receiveSyn(to, from);
    }

    @Test
    void ipv6Caller_isServedOverIpv6_andSeenAsItself() {
        heardFrom(GUEST6);
        FakeHost host = call(GUEST, V6_CALLER);
        host.sends("GET /");
        Received syn = receiveSyn(GUEST6, V6_CALLER);
        TcpGuest server = bench.accept(syn);
        server.receives(ACK, bench.seq(syn) + 1, 701, "GET /");
        server.sends(ACK, 701, bench.seq(syn) + 6, "200 OK");
        assertThat(host.takeText()).isEqualTo("200 OK");
    }

    @Test
    void ipv6OnlyListener_isReachedByAnIpv4Caller_whoThenIsTheGateway() {
        heardFrom(GUEST6);
        FakeHost host = call(GUEST, V4_CALLER);
        bench.refuse(receiveSyn(GUEST, V4_CALLER));
        bench.accept(receiveSyn(GUEST6, GATEWAY6));
        assertThat(host.isClosed()).isFalse();
    }

    @Test
    void ipv4OnlyListener_isReachedByAnIpv6Caller_whoThenIsTheGateway() {
        heardFrom(GUEST6);
        FakeHost host = call(GUEST, V6_CALLER);
        bench.refuse(receiveSyn(GUEST6, V6_CALLER));
        bench.accept(receiveSyn(GUEST, GATEWAY));
        assertThat(host.isClosed()).isFalse();
    }

    @Test
    void bothRefuse_resetsTheCaller() {
        heardFrom(GUEST6);
        FakeHost host = call(GUEST, V4_CALLER);
        bench.refuse(receiveSyn(GUEST, V4_CALLER));
        bench.refuse(receiveSyn(GUEST6, GATEWAY6));
        assertThat(host.isReset()).isTrue();
        assertThat(bench.stack.flowCount()).isZero();
    }

    @Test
    void unreachableInOneFamily_isTriedInTheOther() {
        heardFrom(GUEST6);
        call(GUEST, V4_CALLER);
        guest.sendUnreachable(receiveSyn(GUEST, V4_CALLER), IcmpHeader.CODE_PORT);
        bench.loop.runNow();
        receiveSyn(GUEST6, GATEWAY6);
    }

    /** What was written before a half-close must reach the second address too. */
    @Test
    void callerThatSaysAllAtOnce_isHeardByTheSecondAddress() {
        heardFrom(GUEST6);
        FakeHost host = new FakeHost(bench.loop);
        bench.calls.forwardTcp(host.channel, GUEST, 80, V4_CALLER, 5000);
        host.channel.read();
        host.sends("all of it");
        host.finishes();
        bench.loop.runNow();
        bench.refuse(receiveSyn(GUEST, V4_CALLER));
        Received syn = receiveSyn(GUEST6, GATEWAY6);
        TcpGuest server = bench.end(syn);
        server.sendsSynAck(700, bench.seq(syn) + 1, 1440, 7);
        bench.loop.runNow();
        StringBuilder got = new StringBuilder();
        boolean fin = false;
        while (guest.hasReceived()) {
            TcpGuest.Segment s = server.receives();
            got.append(s.text());
            fin |= s.has(FIN);
        }
        assertThat(got).hasToString("all of it");
        assertThat(fin).isTrue();
    }

    @Test
    void callerThatLeaves_endsTheCall_andTheOtherAddressIsNotTried() {
        heardFrom(GUEST6);
        FakeHost host = call(GUEST, V4_CALLER);
        receiveSyn(GUEST, V4_CALLER);
        host.resets();
        bench.loop.runNow();
        assertThat(bench.stack.flowCount()).isZero();
        guest.receivesNothing();
    }

    /** A namespace has no DHCPv6 client: its address is what it tested before it took it. */
    @Test
    void guestWithAnAddressByThePrefix_isFoundThere() {
        guest.sendNeighborSolicitation(UNSPECIFIED, BY_PREFIX);
        guest.clearReceived();
        call(GUEST, IpAddress.parse("::1"));
        guest.receiveIcmp6(NdpMessage.NEIGHBOR_SOLICITATION, 0);
        guest.address(BY_PREFIX).sendNeighborAdvertisement(BY_PREFIX, GuestEnd.ROUTER);
        bench.accept(receiveSyn(BY_PREFIX, GATEWAY6));

        heardFrom(GUEST6);
        assertThat(bench.network.guestAddresses().first(GUEST, V6_CALLER))
                .as("the address it is given, once it has it")
                .isEqualTo(GUEST6);
    }

    @Test
    void guestThatWasNeverHeardOverIpv6_isCalledByIpv4First() {
        FakeHost host = call(GUEST, V6_CALLER);
        bench.accept(receiveSyn(GUEST, GATEWAY));
        assertThat(host.isClosed()).isFalse();
    }

    @Test
    void guestWithoutAnIpv6Route_seesTheGateway() {
        bench.hostHasIpv6 = false;
        bench.loop.advance(Duration.ofSeconds(11)); // the advertisement
        heardFrom(GUEST6);
        call(GUEST, V6_CALLER);
        bench.accept(receiveSyn(GUEST6, GATEWAY6));
    }

    /** Docker's own networks with IPv6: docker-proxy names the container's address. */
    @Test
    void containersIpv6Address_isCalledThroughTheGuest_andOnlyThat() {
        heardFrom(GUEST6);
        IpAddress container = IpAddress.parse("fd00:1::2");
        FakeHost host = call(container, V6_CALLER);
        Received syn = receiveSyn(container, V6_CALLER);
        assertThat(syn.destinationMac()).isEqualTo(GuestEnd.GUEST_MAC);
        guest.address(container);
        bench.refuse(syn);
        assertThat(host.isReset()).isTrue();
        guest.receivesNothing();
    }

    @Test
    void connectTcp_triesBothAddresses() {
        heardFrom(GUEST6);
        Future<DialResult> call = bench.calls.connectTcp(GUEST, 80);
        bench.loop.runNow();
        bench.refuse(receiveSyn(GUEST, GATEWAY));
        assertThat(call.isDone()).isFalse();
        bench.refuse(receiveSyn(GUEST6, GATEWAY6));
        assertThat(call.getNow()).isEqualTo(new DialResult.Refused());
    }
}
