package dev.longshore.engine.ports;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.engine.ports.Reconciliation.Step;
import dev.longshore.packet.wire.IpAddress;
import dev.longshore.portforward.Forward;
import dev.longshore.portforward.HostEndpoint;
import dev.longshore.portforward.Owner;
import dev.longshore.portforward.PortSnapshot;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What is mended, and when, in virtual time. */
class ReconciliationTest {
    private static final IpAddress ANY = IpAddress.parse("0.0.0.0");
    private static final IpAddress WEB = IpAddress.parse("172.17.0.2");
    private static final IpAddress OTHER = IpAddress.parse("172.17.0.3");
    private static final HostEndpoint.Port HOST = HostEndpoint.tcp(ANY, 8080);
    private static final Wanted WANTED = new Wanted(HOST, List.of(WEB), 80, "web");
    private static final Owner LEASE = Owner.container(7);

    private final Reconciliation reconciliation = new Reconciliation(Patience.DEFAULT);
    private long now = Long.MAX_VALUE - Duration.ofSeconds(3).toNanos();

    private static PortSnapshot bound(long id, HostEndpoint.Port host, IpAddress guest, Owner owner) {
        return new PortSnapshot(id, new Forward(host, guest, 80), host, owner, 0, 0, 0, 0, "");
    }

    private List<Step> look(List<Wanted> wanted, PortSnapshot... bound) {
        return reconciliation.look(now, wanted, List.of(bound));
    }

    private void pass(Duration time) {
        now += time.toNanos();
    }

    @Test
    void leaseThatFits_isLeftAlone() {
        assertThat(look(List.of(WANTED), bound(1, HOST, WEB, LEASE))).isEmpty();
        assertThat(reconciliation.nextLook()).isEqualTo(Long.MAX_VALUE);
    }

    @Test
    void nobodyListens_isBoundAfterAWhile_andTriedAgainLessAndLess() {
        assertThat(look(List.of(WANTED))).isEmpty();
        assertThat(reconciliation.nextLook()).isEqualTo(Duration.ofMillis(1500).toNanos());
        pass(Duration.ofMillis(1500).minusNanos(1));
        assertThat(look(List.of(WANTED))).isEmpty();

        pass(Duration.ofNanos(1));
        assertThat(look(List.of(WANTED))).containsExactly(new Step.Bind(WANTED));
        assertThat(look(List.of(WANTED))).isEmpty();
        pass(Duration.ofSeconds(5));
        assertThat(look(List.of(WANTED))).containsExactly(new Step.Bind(WANTED));
        pass(Duration.ofSeconds(5));
        assertThat(look(List.of(WANTED))).isEmpty();
        pass(Duration.ofSeconds(5));
        assertThat(look(List.of(WANTED))).containsExactly(new Step.Bind(WANTED));
    }

    @Test
    void leaseThatComesInTime_isNotAnticipated() {
        assertThat(look(List.of(WANTED))).isEmpty();
        pass(Duration.ofSeconds(1));
        assertThat(look(List.of(WANTED), bound(1, HOST, WEB, LEASE))).isEmpty();
        pass(Duration.ofSeconds(1));
        assertThat(look(List.of(WANTED))).isEmpty();
    }

    @Test
    void leaseThatNobodyWants_isDismissedAfterAMinute() {
        assertThat(look(List.of(), bound(1, HOST, WEB, LEASE))).isEmpty();
        pass(Duration.ofSeconds(60));

        assertThat(look(List.of(), bound(1, HOST, WEB, LEASE)))
                .singleElement()
                .isInstanceOfSatisfying(
                        Step.Dismiss.class, d -> assertThat(d.id()).isEqualTo(1));
    }

    @Test
    void leaseOfASlowStart_isWantedInTheEnd() {
        assertThat(look(List.of(), bound(1, HOST, WEB, LEASE))).isEmpty();
        pass(Duration.ofSeconds(50));
        assertThat(look(List.of(WANTED), bound(1, HOST, WEB, LEASE))).isEmpty();
        pass(Duration.ofSeconds(50));
        assertThat(look(List.of(), bound(1, HOST, WEB, LEASE))).isEmpty();
    }

    @Test
    void leaseThatLeadsElsewhere_goes_andThePortIsBoundWhereItBelongs() {
        assertThat(look(List.of(WANTED), bound(1, HOST, OTHER, LEASE))).isEmpty();
        pass(Duration.ofSeconds(5));
        assertThat(look(List.of(WANTED), bound(1, HOST, OTHER, LEASE)))
                .singleElement()
                .isInstanceOf(Step.Dismiss.class);
        pass(Duration.ofMillis(1500));
        assertThat(look(List.of(WANTED))).containsExactly(new Step.Bind(WANTED));
    }

    @Test
    void oursThatIsNotWantedAnyMore_orElsewhere_isReleasedAtOnce() {
        assertThat(look(List.of(WANTED), bound(1, HOST, WEB, Owner.ENGINE_STATE)))
                .isEmpty();
        assertThat(look(List.of(WANTED), bound(1, HOST, OTHER, Owner.ENGINE_STATE)))
                .containsExactly(new Step.Release(1));
        assertThat(look(List.of(), bound(1, HOST, WEB, Owner.ENGINE_STATE))).containsExactly(new Step.Release(1));
    }

    @Test
    void portsOfOthers_areNotTouched() {
        PortSnapshot control = bound(1, HOST, OTHER, Owner.CONTROL_API);
        PortSnapshot mirrored = bound(2, HostEndpoint.tcp(ANY, 81), OTHER, Owner.HOST_NETWORKING);
        assertThat(look(List.of(), control, mirrored)).isEmpty();
        pass(Duration.ofMinutes(5));
        assertThat(look(List.of(), control, mirrored)).isEmpty();
    }
}
