package dev.longshore.proxy;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.proxy.upstream.Origin;
import dev.longshore.proxy.upstream.OriginConnection;
import dev.longshore.testkit.ScriptedChannel;
import dev.longshore.vpnkit.hostsocket.Destination;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Connections kept for a guest's next request: four for one connection, and a bound for all of them together. */
class IdleOriginsTest {
    private final ScriptedChannel guest = new ScriptedChannel();
    private final IdleBudget budget = new IdleBudget(6);
    private final IdleOrigins one = new IdleOrigins(budget, guest.eventLoop().ticker());
    private final IdleOrigins other = new IdleOrigins(budget, guest.eventLoop().ticker());

    private static Destination host(int i) {
        return Destination.named("h" + i + ".test", 80);
    }

    private Origin open() {
        return new OriginConnection(ScriptedChannel.beside(guest));
    }

    private List<Origin> fill(IdleOrigins idle, int count) {
        List<Origin> made = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            Origin origin = open();
            idle.put(host(i), origin);
            made.add(origin);
        }
        return made;
    }

    @Test
    void fifthOfOneConnection_takesTheOldestsPlace() {
        List<Origin> made = fill(one, 5);

        assertThat(budget.kept()).isEqualTo(4);
        assertThat(made.getFirst().isOpen()).isFalse();
        assertThat(one.take(host(0))).isNull();
        assertThat(one.take(host(4))).isSameAs(made.getLast());
        assertThat(budget.kept()).isEqualTo(3);
    }

    @Test
    void allTogether_neverKeepMoreThanTheBudget() {
        fill(one, 4);
        List<Origin> others = fill(other, 4);

        assertThat(budget.kept()).isEqualTo(6);
        assertThat(others).extracting(Origin::isOpen).containsExactly(false, false, true, true);
        Origin third = open();
        new IdleOrigins(budget, guest.eventLoop().ticker()).put(host(0), third);
        assertThat(third.isOpen()).as("nothing of its own to give up").isFalse();
    }

    @Test
    void closedByTheOrigin_makesRoomAtOnce() {
        List<Origin> made = fill(one, 4);
        fill(other, 2);

        made.get(1).channel().close();
        guest.runPendingTasks();
        Origin next = open();
        new IdleOrigins(budget, guest.eventLoop().ticker()).put(host(0), next);

        assertThat(next.isOpen()).isTrue();
        assertThat(one.take(host(1))).isNull();
        assertThat(budget.kept()).isEqualTo(6);
    }

    @Test
    void taken_thenClosedByTheExchange_countsOnce() {
        Origin origin = fill(one, 1).getFirst();
        assertThat(one.take(host(0))).isSameAs(origin);
        origin.close();
        origin.close();

        assertThat(budget.kept()).isZero();
    }

    /** Its server may be closing it just now. */
    @Test
    void keptForAMinute_isNotUsedAgain() {
        List<Origin> made = fill(one, 2);
        guest.pass(59);
        assertThat(one.take(host(0))).isSameAs(made.getFirst());
        guest.pass(1);
        assertThat(one.take(host(1))).isNull();
        assertThat(made.getLast().isOpen()).isFalse();
        assertThat(budget.kept()).isZero();
    }

    @Test
    void closeAll_givesEverythingBack() {
        List<Origin> made = fill(one, 4);
        one.closeAll();
        one.closeAll();

        assertThat(budget.kept()).isZero();
        assertThat(made).noneMatch(Origin::isOpen);
    }

    @Test
    void sameDestinationTwice_keepsTheSecond() {
        Origin first = open();
        Origin second = open();
        one.put(host(1), first);
        one.put(host(1), second);

        assertThat(first.isOpen()).isFalse();
        assertThat(one.take(host(1))).isSameAs(second);
        assertThat(budget.kept()).isZero();
    }

    @Test
    void anyOrderOfEvents_neverExceedsTheBudget_andEndsAtZero() {
        long seed = 11;
        Random random = new Random(seed);
        List<IdleOrigins> all = List.of(
                one,
                other,
                new IdleOrigins(budget, guest.eventLoop().ticker()),
                new IdleOrigins(budget, guest.eventLoop().ticker()));
        List<Origin> made = new ArrayList<>(List.of(open()));
        for (int i = 0; i < 5_000; i++) {
            IdleOrigins idle = all.get(random.nextInt(all.size()));
            Destination at = host(random.nextInt(6));
            switch (random.nextInt(4)) {
                case 0, 1 -> {
                    Origin taken = idle.take(at);
                    Origin used = taken == null ? open() : taken;
                    made.add(used);
                    idle.put(at, used);
                }
                case 2 -> made.get(random.nextInt(made.size())).close();
                default -> idle.closeAll();
            }
            assertThat(budget.kept()).as("seed %d, step %d", seed, i).isBetween(0, 6);
        }
        all.forEach(IdleOrigins::closeAll);
        assertThat(budget.kept()).as("seed %d", seed).isZero();
    }
}
