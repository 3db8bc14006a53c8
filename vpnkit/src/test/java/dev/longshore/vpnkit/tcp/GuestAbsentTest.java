package dev.longshore.vpnkit.tcp;

import static dev.longshore.testkit.GuestEnd.GATEWAY;
import static dev.longshore.testkit.GuestEnd.GUEST;
import static dev.longshore.testkit.GuestEnd.GUEST6;
import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.packet.wire.ArpPacket;
import dev.longshore.packet.wire.EthernetHeader;
import dev.longshore.packet.wire.IpAddress;
import dev.longshore.packet.wire.NdpMessage;
import dev.longshore.testkit.GuestEnd;
import dev.longshore.testkit.Received;
import dev.longshore.vpnkit.hostsocket.DialResult;
import io.netty.util.concurrent.Future;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Calls to a guest that has not said anything yet, or is not there: RFC 826, RFC 1122 §2.3.2. */
class GuestAbsentTest {
    private static final IpAddress CALLER = IpAddress.parse("198.51.100.20");
    private static final IpAddress CONTAINER = IpAddress.parse("172.17.0.2");
    private static final IpAddress NEIGHBOUR = IpAddress.parse("192.168.65.40");
    private static final long ANOTHER_MAC = 0x0202_0304_0506L;

    private final CallBench bench = new CallBench();
    private final GuestEnd guest = bench.guest;

    @AfterEach
    void close() {
        bench.close();
    }

    private void receiveQuestion(IpAddress target) {
        Received arp = guest.receive();
        assertThat(arp.isArp()).as("%s", arp).isTrue();
        assertThat(arp.destinationMac()).isEqualTo(EthernetHeader.BROADCAST);
        assertThat(ArpPacket.operation(arp.frame(), arp.ipAt())).isEqualTo(ArpPacket.REQUEST);
        assertThat(ArpPacket.senderIp(arp.frame(), arp.ipAt())).isEqualTo(GATEWAY.v4Bits());
        assertThat(ArpPacket.targetIp(arp.frame(), arp.ipAt())).isEqualTo(target.v4Bits());
    }

    /** Whatever is asked for by either family is answered by nobody. */
    private void nobodyAnswersFor(Duration time) {
        bench.loop.advance(time);
        while (guest.hasReceived()) {
            Received next = guest.receive();
            assertThat(next.isArp() || next.isIcmp6(NdpMessage.NEIGHBOR_SOLICITATION))
                    .as("%s", next)
                    .isTrue();
        }
    }

    @Test
    void silentGuest_isAskedFor_andThenCalled_withWhateverMacItHas() {
        FakeHost host = bench.call(GUEST, CALLER);
        receiveQuestion(GUEST);
        guest.receivesNothing();
        guest.mac(ANOTHER_MAC).sendArpReply(GATEWAY);
        Received syn = bench.receiveSyn(GUEST, CALLER);
        assertThat(syn.destinationMac()).isEqualTo(ANOTHER_MAC);
        bench.accept(syn);
        assertThat(host.isClosed()).isFalse();
        assertThat(bench.count("vpnkit.arp.asked", "")).isEqualTo(1);
    }

    @Test
    void addressBehindASilentGuest_asksForTheGuest() {
        bench.call(CONTAINER, CALLER);
        receiveQuestion(GUEST);
        guest.sendArpReply(GATEWAY);
        assertThat(bench.receiveSyn(CONTAINER, CALLER).destinationMac()).isEqualTo(GuestEnd.GUEST_MAC);
    }

    @Test
    void anotherStationOfTheLink_isAskedForByItsOwnAddress() {
        guest.sendArpRequest(GATEWAY); // the guest is known: that is not where the neighbour is
        guest.clearReceived();
        bench.call(NEIGHBOUR, CALLER);
        receiveQuestion(NEIGHBOUR);
        guest.mac(ANOTHER_MAC).address(NEIGHBOUR).sendArpReply(GATEWAY);
        assertThat(bench.receiveSyn(NEIGHBOUR, CALLER).destinationMac()).isEqualTo(ANOTHER_MAC);
    }

    /** Beside a station that is heard later, what is behind the guest stays behind the guest. */
    @Test
    void containerBehindTheGuest_isNotSearchedBehindItsNeighbours() {
        guest.sendArpRequest(GATEWAY);
        guest.mac(ANOTHER_MAC).address(NEIGHBOUR).sendArpRequest(GATEWAY);
        guest.clearReceived();
        bench.call(CONTAINER, CALLER);
        assertThat(bench.receiveSyn(CONTAINER, CALLER).destinationMac()).isEqualTo(GuestEnd.GUEST_MAC);
    }

    @Test
    void guestWithAnAddressOfItsOwnChoice_leadsToWhatIsBehindIt() {
        guest.address(NEIGHBOUR).sendArpRequest(GATEWAY);
        guest.clearReceived();
        bench.call(CONTAINER, CALLER);
        assertThat(bench.receiveSyn(CONTAINER, CALLER).destinationMac()).isEqualTo(GuestEnd.GUEST_MAC);
    }

    @Test
    void nobodyThere_isAskedThreeTimes_thenTheCallFails_andSaysWhy() {
        Future<DialResult> call = bench.calls.connectTcp(CONTAINER, 80);
        bench.loop.advance(Duration.ofMillis(2900));
        for (int i = 0; i < 3; i++) {
            receiveQuestion(GUEST);
        }
        guest.receivesNothing();
        assertThat(call.isDone()).isFalse();
        bench.loop.advance(Duration.ofMillis(200));
        assertThat(call.getNow())
                .isEqualTo(new DialResult.Unreachable(false, "nobody on the guest's network answers for 192.168.65.3"));
        assertThat(bench.stack.flowCount()).isZero();
        assertThat(bench.count("vpnkit.packets.dropped", "reason=unresolved")).isPositive();
    }

    @Test
    void nobodyThereInEitherFamily_resetsTheCaller() {
        FakeHost host = bench.call(GUEST, CALLER);
        nobodyAnswersFor(Duration.ofSeconds(4));
        assertThat(host.isClosed()).isFalse();
        nobodyAnswersFor(Duration.ofSeconds(4));
        assertThat(host.isReset()).isTrue();
        assertThat(bench.stack.flowCount()).isZero();
    }

    @Test
    void guestWithIpv6Only_isFoundAfterNobodyAnsweredForIpv4() {
        bench.call(GUEST, CALLER);
        nobodyAnswersFor(Duration.ofMillis(3001));
        guest.sendNeighborAdvertisement(GUEST6, GuestEnd.ROUTER);
        bench.receiveSyn(GUEST6, GuestEnd.GATEWAY6);
    }

    /** More calls than frames are held: all of them fail at once, those too whose SYN is not there any more. */
    @Test
    void manyCallsToNobody_allFail() {
        List<Future<DialResult>> calls = new ArrayList<>();
        for (int i = 0; i < 2000; i++) {
            calls.add(bench.calls.connectTcp(CONTAINER, 80));
        }
        nobodyAnswersFor(Duration.ofMillis(3001));
        assertThat(calls).allMatch(Future::isDone);
        assertThat(bench.stack.flowCount()).isZero();
    }

    @Test
    void manyCallsToASilentGuest_areAllMadeWhenItAnswers() {
        for (int i = 0; i < 100; i++) {
            var _ = bench.calls.connectTcp(CONTAINER, 80);
        }
        bench.loop.runNow();
        receiveQuestion(GUEST);
        guest.sendArpReply(GATEWAY);
        assertThat(guest.receivedCount()).isEqualTo(100);
        guest.clearReceived();
    }

    /** The guest changed its card, or left the network, and said nothing. */
    @Test
    void guestThatDoesNotAnswerItsSyn_isAskedWhetherItIsThere() {
        guest.sendArpRequest(GATEWAY);
        guest.clearReceived();
        Future<DialResult> call = bench.calls.connectTcp(CONTAINER, 80);
        bench.loop.advance(Duration.ofMillis(2900));
        guest.clearReceived(); // the SYN, twice
        bench.loop.advance(Duration.ofMillis(200));
        receiveQuestion(GUEST);
        guest.mac(ANOTHER_MAC).sendArpReply(GATEWAY);
        guest.clearReceived(); // the SYN for the third time went where the guest was
        bench.loop.advance(Duration.ofSeconds(4));
        assertThat(guest.receive().destinationMac()).isEqualTo(ANOTHER_MAC);

        call.cancel(false);
        Future<DialResult> second = bench.calls.connectTcp(CONTAINER, 80);
        bench.loop.advance(Duration.ofMillis(6100));
        assertThat(second.getNow()).isInstanceOf(DialResult.Unreachable.class);
        guest.clearReceived();
    }

    /** One service that drops SYNs must not disturb those that talk through the same station. */
    @Test
    void stationUnderDoubt_staysInUse() {
        guest.sendArpRequest(GATEWAY);
        guest.clearReceived();
        var _ = bench.calls.connectTcp(CONTAINER, 80);
        bench.loop.advance(Duration.ofMillis(3100));
        guest.clearReceived(); // the question, too
        FakeHost host = bench.call(IpAddress.parse("172.17.0.3"), CALLER);
        guest.address(IpAddress.parse("172.17.0.3"));
        bench.accept(bench.receiveSyn(IpAddress.parse("172.17.0.3"), CALLER));
        assertThat(host.isClosed()).isFalse();
    }

    @Test
    void linkThatIsDown_failsTheCall() {
        bench.link.setUp(false);
        Future<DialResult> call = bench.calls.connectTcp(CONTAINER, 80);
        bench.loop.advance(Duration.ofSeconds(4));
        assertThat(call.getNow()).isInstanceOf(DialResult.Unreachable.class);
    }

    @Test
    void linkThatGoesDown_forgetsWhoWasThere_andWhatWaited() {
        guest.sendArpRequest(GATEWAY);
        bench.link.setUp(false);
        bench.link.setUp(true);
        guest.clearReceived();
        bench.call(CONTAINER, CALLER);
        receiveQuestion(GUEST);
        bench.link.setUp(false);
        bench.link.setUp(true);
        guest.clearReceived();
        guest.sendArpReply(GATEWAY);
        guest.receivesNothing();
    }

    @Test
    void frameFromTheMacAddressZero_isNobodys() {
        guest.mac(0).sendArpReply(GATEWAY);
        assertThat(bench.count("vpnkit.packets.dropped", "layer=ethernet,reason=source"))
                .isEqualTo(1);
        bench.call(CONTAINER, CALLER);
        receiveQuestion(GUEST);
    }
}
