package dev.longshore.portforward;

import static dev.longshore.portforward.LoopExtension.await;
import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.config.PortBinding;
import dev.longshore.packet.wire.IpAddress;
import dev.longshore.portforward.ExposeResult.Exposed;
import dev.longshore.portforward.ExposeResult.Reason;
import dev.longshore.portforward.ExposeResult.Refused;
import io.netty.channel.unix.Errors;
import io.netty.util.concurrent.Future;
import io.netty.util.concurrent.Promise;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The table's own rules, with listeners that open when, and as, the test says. */
class PortTableTest {
    private static final IpAddress ANY = IpAddress.parse("0.0.0.0");
    private static final IpAddress ANY6 = IpAddress.parse("::");
    private static final IpAddress LAN = IpAddress.parse("10.0.0.5");
    private static final IpAddress LOOPBACK = IpAddress.parse("127.0.0.1");
    private static final IpAddress CONTAINER = IpAddress.parse("172.17.0.2");
    private static final Owner ONE = Owner.container(1);
    private static final Owner TWO = Owner.container(2);

    @RegisterExtension
    final LoopExtension loop = new LoopExtension();

    private final Deque<FakeListener> opening = new ArrayDeque<>();
    private final List<FakeListener> listeners = new ArrayList<>();
    private final List<String> heard = new ArrayList<>();
    private final PortTable table = new PortTable(
            loop.loop, BindPolicy.of(PortBinding.DEFAULT_PORT_BINDING), 1000, FakeListener::new, new Watcher());

    private final class Watcher implements PortWatcher {
        @Override
        public void onExposed(PortSnapshot port) {
            heard.add("+ " + port.text());
        }

        @Override
        public void onReleased(PortSnapshot port) {
            heard.add("- " + port.text());
        }

        @Override
        public void onNotMoved(PortSnapshot port) {
            heard.add("! " + port.note());
        }
    }

    private final class FakeListener implements HostListener {
        final HostEndpoint host;
        final Promise<HostEndpoint> opened = loop.loop.newPromise();
        int closes;

        FakeListener(Forward forward, Traffic traffic) {
            host = forward.host();
        }

        @Override
        public Future<HostEndpoint> open() {
            opening.add(this);
            listeners.add(this);
            return opened;
        }

        @Override
        public void close() {
            closes++;
        }

        @Override
        public String trouble() {
            return "";
        }
    }

    private static Forward tcp(int port) {
        return new Forward(HostEndpoint.tcp(ANY, port), CONTAINER, 80);
    }

    private CompletableFuture<ExposeResult> expose(Forward forward, Owner owner) {
        return table.expose(forward, owner);
    }

    private void bind() throws Exception {
        loop.on(() -> {
            FakeListener l = opening.remove();
            return l.opened.setSuccess(l.host);
        });
    }

    private void fail(int errno) throws Exception {
        loop.on(() -> opening.remove().opened.setFailure(Errors.newIOException("bind", -errno)));
    }

    private Exposed exposed(Forward forward, Owner owner) throws Exception {
        CompletableFuture<ExposeResult> result = expose(forward, owner);
        bind();
        return (Exposed) await(result);
    }

    @Test
    void expose_beyondTheLimit_isRefusedUntilOneIsReleased() throws Exception {
        PortTable small = new PortTable(
                loop.loop, BindPolicy.of(PortBinding.DEFAULT_PORT_BINDING), 1, FakeListener::new, PortWatcher.NONE);
        CompletableFuture<ExposeResult> first = small.expose(tcp(80), ONE);
        bind();
        long id = ((Exposed) await(first)).id();

        assertThat(await(small.expose(tcp(81), TWO)))
                .isEqualTo(new Refused(
                        Reason.OTHER,
                        "ports are not available: exposing port TCP 0.0.0.0:81 -> 127.0.0.1:0: listen tcp 0.0.0.0:81:"
                                + " bind: 1 ports are published, as many as limits.publishedPorts allows"));

        assertThat(await(small.release(id))).isTrue();
        CompletableFuture<ExposeResult> second = small.expose(tcp(81), TWO);
        bind();
        assertThat(await(second)).isInstanceOf(Exposed.class);
    }

    @Test
    void expose_release_isHeardOfOnceEach() throws Exception {
        Exposed port = exposed(tcp(80), ONE);
        assertThat(await(table.list())).hasSize(1).first().satisfies(p -> {
            assertThat(p.text()).isEqualTo("tcp 0.0.0.0:80 -> 172.17.0.2:80");
            assertThat(p.owner()).isEqualTo(ONE);
        });
        assertThat(await(table.release(port.id()))).isTrue();
        assertThat(await(table.release(port.id()))).isFalse();
        assertThat(await(table.list())).isEmpty();
        assertThat(heard).containsExactly("+ tcp 0.0.0.0:80 -> 172.17.0.2:80", "- tcp 0.0.0.0:80 -> 172.17.0.2:80");
        assertThat(listeners.getFirst().closes).isEqualTo(1);
    }

    @Test
    void samePort_otherOwner_isInUse() throws Exception {
        exposed(tcp(80), ONE);
        Refused r = (Refused) await(expose(tcp(80), TWO));
        assertThat(r.reason()).isEqualTo(Reason.IN_USE);
        assertThat(r.message()).endsWith("listen tcp 0.0.0.0:80: bind: address already in use");
        assertThat(listeners).hasSize(1);
    }

    @Test
    void samePort_otherProtocolOrAddress_isAnotherPort() throws Exception {
        exposed(tcp(80), ONE);
        exposed(new Forward(HostEndpoint.udp(ANY, 80), CONTAINER, 80), TWO);
        exposed(new Forward(HostEndpoint.tcp(ANY6, 80), CONTAINER, 80), TWO);
        assertThat(await(table.list())).hasSize(3);
    }

    @Test
    void sameWish_sameOwner_isShared() throws Exception {
        Exposed first = exposed(tcp(80), Owner.CONTROL_API);
        assertThat(await(expose(tcp(80), Owner.CONTROL_API))).isEqualTo(first);
        Forward other = new Forward(HostEndpoint.tcp(ANY, 80), CONTAINER, 81);
        assertThat(await(expose(other, Owner.CONTROL_API))).isInstanceOf(Refused.class);
    }

    @Test
    void bindFails_portIsNotInTheTableAndCanBeAskedForAgain() throws Exception {
        CompletableFuture<ExposeResult> result = expose(tcp(80), ONE);
        fail(98);
        assertThat(((Refused) await(result)).reason()).isEqualTo(Reason.IN_USE);
        assertThat(await(table.list())).isEmpty();
        exposed(tcp(80), TWO);
        assertThat(heard).hasSize(1);
    }

    @Test
    void released_beforeBound_isCancelledAndClosed() throws Exception {
        CompletableFuture<ExposeResult> result = expose(tcp(80), ONE);
        assertThat(await(table.closeAll())).isEqualTo(1);
        assertThat(((Refused) await(result)).reason()).isEqualTo(Reason.CANCELLED);
        bind();
        assertThat(listeners.getFirst().closes).isEqualTo(1);
        assertThat(heard).isEmpty();
    }

    @Test
    void anyIpv6_hostWithoutIpv6_isExposedWithANote() throws Exception {
        for (int errno : new int[] {97, 99}) {
            CompletableFuture<ExposeResult> result =
                    expose(new Forward(HostEndpoint.tcp(ANY6, errno), CONTAINER, 80), ONE);
            fail(errno);
            assertThat(((Exposed) await(result)).note()).contains("no IPv6");
        }
        assertThat(await(table.list())).hasSize(2).allSatisfy(p -> assertThat(p.note())
                .contains("no IPv6"));
    }

    @Test
    void explicitIpv6_hostWithoutIpv6_isRefused() throws Exception {
        CompletableFuture<ExposeResult> result =
                expose(new Forward(HostEndpoint.tcp(IpAddress.parse("fd00::1"), 80), CONTAINER, 80), ONE);
        fail(99);
        assertThat(((Refused) await(result)).reason()).isEqualTo(Reason.NO_SUCH_ADDRESS);
    }

    @Test
    void unexpose_onlyWhatTheControlApiExposed() throws Exception {
        exposed(tcp(80), ONE);
        exposed(tcp(81), Owner.CONTROL_API);
        assertThat(await(table.unexpose(tcp(80).host()))).isEqualTo(UnexposeResult.OWNED_BY_CONTAINER);
        assertThat(await(table.unexpose(tcp(81).host()))).isEqualTo(UnexposeResult.RELEASED);
        assertThat(await(table.unexpose(tcp(81).host()))).isEqualTo(UnexposeResult.NOT_FOUND);
        assertThat(await(table.list())).hasSize(1);
    }

    @Test
    void afterCloseAll_nothingIsExposed() throws Exception {
        exposed(tcp(80), ONE);
        assertThat(await(table.closeAll())).isEqualTo(1);
        assertThat(((Refused) await(expose(tcp(81), ONE))).reason()).isEqualTo(Reason.CANCELLED);
    }

    @Test
    void loopStopped_futureFails() throws Exception {
        loop.stop();
        assertThat(expose(tcp(80), ONE)).isCompletedExceptionally();
    }

    @Test
    void otherPolicy_movesWhatIsBound_andTheConnectionsAreReset() throws Exception {
        exposed(tcp(80), ONE);
        exposed(new Forward(HostEndpoint.tcp(LAN, 81), CONTAINER, 80), TWO);

        CompletableFuture<Integer> moved = table.place(BindPolicy.of(PortBinding.DEFAULT_LOCAL_PORT_BINDING));
        bind();

        assertThat(await(moved)).isEqualTo(1);
        assertThat(listeners.getFirst().closes).isEqualTo(1);
        assertThat(await(table.list()))
                .extracting(PortSnapshot::text)
                .containsExactly("tcp 127.0.0.1:80 -> 172.17.0.2:80", "tcp 10.0.0.5:81 -> 172.17.0.2:80");
        assertThat(heard)
                .containsExactly(
                        "+ tcp 0.0.0.0:80 -> 172.17.0.2:80",
                        "+ tcp 10.0.0.5:81 -> 172.17.0.2:80",
                        "- tcp 0.0.0.0:80 -> 172.17.0.2:80",
                        "+ tcp 127.0.0.1:80 -> 172.17.0.2:80");
        assertThat(await(table.place(BindPolicy.of(PortBinding.DEFAULT_LOCAL_PORT_BINDING))))
                .isZero();
    }

    @Test
    void place_isAnsweredWhenThePortsAreBound_notBefore() throws Exception {
        exposed(tcp(80), ONE);
        exposed(tcp(81), TWO);

        CompletableFuture<Integer> moved = table.place(BindPolicy.of(PortBinding.LOCAL_ONLY_PORT_BINDING));
        bind();
        assertThat(moved).isNotDone();
        fail(98);

        assertThat(await(moved)).isEqualTo(2);
    }

    @Test
    void keep_leaseOutlivesItsOwner_andIsHandedToTheNext() throws Exception {
        Exposed first = exposed(tcp(80), ONE);
        Exposed control = exposed(tcp(81), Owner.CONTROL_API);
        assertThat(await(table.keep())).isOne();
        assertThat(await(table.release(first.id()))).isFalse();
        assertThat(await(table.list()))
                .extracting(p -> p.owner().kind())
                .containsExactlyInAnyOrder(Owner.Kind.ENGINE, Owner.Kind.CONTROL);
        Exposed second = (Exposed) await(expose(tcp(80), TWO));
        assertThat(second.id()).isNotEqualTo(first.id()).isNotEqualTo(control.id());
        assertThat(second.bound()).isEqualTo(first.bound());
        assertThat(await(table.keep())).isOne(); // the Engine is restarted once more
        assertThat(await(table.release(second.id()))).isFalse();
        Exposed third = (Exposed) await(expose(tcp(80), ONE));
        assertThat(await(table.release(third.id()))).isTrue();
        assertThat(await(table.list())).extracting(PortSnapshot::owner).containsExactly(Owner.CONTROL_API);
        assertThat(heard)
                .containsExactly(
                        "+ tcp 0.0.0.0:80 -> 172.17.0.2:80",
                        "+ tcp 0.0.0.0:81 -> 172.17.0.2:80",
                        "- tcp 0.0.0.0:80 -> 172.17.0.2:80");
    }

    @Test
    void keep_whatIsStillBeingBound_staysItsOwners() throws Exception {
        CompletableFuture<ExposeResult> pending = expose(tcp(80), ONE);
        assertThat(await(table.keep())).isZero();
        bind();
        assertThat(await(pending)).isInstanceOf(Exposed.class);
    }

    @Test
    void portOfTheEnginesState_isHandedOverWithItsConnections_toALeaseForTheSame() throws Exception {
        Exposed before = exposed(tcp(80), Owner.ENGINE_STATE);

        Exposed lease = (Exposed) await(expose(tcp(80), ONE));

        assertThat(lease.id()).isEqualTo(before.id());
        assertThat(await(table.list())).extracting(PortSnapshot::owner).containsExactly(ONE);
        assertThat(listeners).hasSize(1).allMatch(l -> l.closes == 0);
        assertThat(await(expose(tcp(80), Owner.ENGINE_STATE))).isInstanceOf(Refused.class);
    }

    @Test
    void portOfTheEnginesState_makesRoomForALeaseThatLeadsElsewhere() throws Exception {
        exposed(tcp(80), Owner.ENGINE_STATE);
        exposed(tcp(81), Owner.ENGINE_STATE);

        exposed(new Forward(HostEndpoint.tcp(LAN, 80), CONTAINER, 8080), ONE);

        assertThat(await(table.list()))
                .extracting(PortSnapshot::text)
                .containsExactly("tcp 0.0.0.0:81 -> 172.17.0.2:80", "tcp 10.0.0.5:80 -> 172.17.0.2:8080");
        assertThat(listeners.getFirst().closes).isEqualTo(1);
    }

    @Test
    void dismissedPort_isReleased_andItsOwnerIsTold() throws Exception {
        List<String> told = new ArrayList<>();
        CompletableFuture<ExposeResult> result = table.expose(tcp(80), ONE, () -> told.add("gone"));
        bind();
        long id = ((Exposed) await(result)).id();

        assertThat(await(table.dismiss(id))).isTrue();

        assertThat(told).containsExactly("gone");
        assertThat(await(table.list())).isEmpty();
        assertThat(await(table.dismiss(id))).isFalse();
        assertThat(told).hasSize(1);
    }

    @Test
    void portThatAnyWouldDoFor_keepsItsNumberWhenItMoves() throws Exception {
        CompletableFuture<ExposeResult> result = expose(tcp(0), ONE);
        loop.on(() -> opening.remove().opened.setSuccess(HostEndpoint.tcp(ANY, 49_153)));
        await(result);
        assertThat(await(table.place(BindPolicy.of(PortBinding.DEFAULT_PORT_BINDING))))
                .isZero();

        table.place(BindPolicy.of(PortBinding.LOCAL_ONLY_PORT_BINDING));
        loop.settle();

        assertThat(loop.on(() -> opening.getFirst().host)).isEqualTo(HostEndpoint.tcp(LOOPBACK, 49_153));
    }

    @Test
    void twoPortsWithOnePlace_theSecondIsUnboundUntilThereIsRoom() throws Exception {
        exposed(tcp(80), ONE);
        exposed(new Forward(HostEndpoint.tcp(LAN, 80), CONTAINER, 80), TWO);

        table.place(BindPolicy.of(PortBinding.LOCAL_ONLY_PORT_BINDING));
        bind();

        assertThat(await(table.list()))
                .extracting(PortSnapshot::note)
                .containsExactly(
                        "",
                        "ports are not available: exposing port TCP 127.0.0.1:80 -> 127.0.0.1:0: listen tcp 127.0.0.1:80:"
                                + " bind: address already in use");
        assertThat(heard).anyMatch(h -> h.startsWith("! ports are not available"));

        table.place(BindPolicy.of(PortBinding.DEFAULT_PORT_BINDING));
        bind();
        bind();
        assertThat(await(table.list())).allMatch(p -> p.note().isEmpty());
        assertThat(loop.on(() -> listeners.stream().filter(l -> l.closes == 0).count()))
                .isEqualTo(2);
    }

    @Test
    void moveThatFails_isTold_andTheOwnersEndStillReleases() throws Exception {
        Exposed port = exposed(tcp(80), ONE);

        table.place(BindPolicy.of(PortBinding.LOCAL_ONLY_PORT_BINDING));
        fail(98);

        assertThat(heard).last().asString().startsWith("! ").endsWith("bind: address already in use");
        assertThat(await(table.list())).hasSize(1);
        assertThat(await(table.release(port.id()))).isTrue();
        assertThat(await(table.list())).isEmpty();
        assertThat(listeners).allMatch(l -> l.closes == 1);
    }

    @Test
    void otherPolicy_whileAPortIsOpening_bindsItWhereItBelongsNow() throws Exception {
        CompletableFuture<ExposeResult> result = expose(tcp(80), ONE);

        table.place(BindPolicy.of(PortBinding.LOCAL_ONLY_PORT_BINDING));
        bind(); // the first one, closed meanwhile
        bind();

        assertThat(((Exposed) await(result)).bound()).isEqualTo(HostEndpoint.tcp(LOOPBACK, 80));
        assertThat(loop.on(() -> listeners.getFirst().closes)).isEqualTo(1);
    }

    @Test
    void addressThatIsNotAllowed_isRefusedWithTheSetting() throws Exception {
        table.place(new BindPolicy(PortBinding.DEFAULT_PORT_BINDING, Set.of(LOOPBACK)));

        assertThat(await(expose(tcp(80), ONE)))
                .isEqualTo(new Refused(
                        Reason.FORBIDDEN,
                        "ports are not available: exposing port TCP 0.0.0.0:80 -> 127.0.0.1:0: listen tcp 0.0.0.0:80:"
                                + " bind: operation not permitted (vpnKitAllowedBindAddresses allows 127.0.0.1)"));
        assertThat(listeners).isEmpty();
        exposed(new Forward(HostEndpoint.tcp(LOOPBACK, 80), CONTAINER, 80), ONE);
    }

    @Test
    void twinOfAnAllowedAddress_isExposedWithoutAListener() throws Exception {
        table.place(new BindPolicy(PortBinding.LOCAL_ONLY_PORT_BINDING, Set.of(LOOPBACK)));

        Exposed twin = (Exposed) await(expose(new Forward(HostEndpoint.tcp(ANY6, 80), CONTAINER, 80), ONE));

        assertThat(twin.note()).contains("vpnKitAllowedBindAddresses");
        assertThat(listeners).isEmpty();
        assertThat(await(table.release(twin.id()))).isTrue();
    }

    @Test
    void portThatIsNotAllowedAnyMore_isUnbound() throws Exception {
        exposed(tcp(80), ONE);

        table.place(new BindPolicy(PortBinding.DEFAULT_PORT_BINDING, Set.of(LOOPBACK)));

        assertThat(await(table.list()))
                .singleElement()
                .extracting(PortSnapshot::note)
                .asString()
                .contains("operation not permitted");
        assertThat(listeners).allMatch(l -> l.closes == 1);
    }

    /** Wishes, releases, binds and failures in any order: the open listeners are exactly the ports of the list. */
    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
    void anyOrder_openListenersAreExactlyTheListedPorts(long seed) throws Exception {
        Random random = new Random(seed);
        Map<Long, HostEndpoint> model = new HashMap<>();
        List<CompletableFuture<ExposeResult>> results = new ArrayList<>();
        for (int step = 0; step < 2000; step++) {
            switch (random.nextInt(20)) {
                case 17 -> table.keep();
                case 0 ->
                    table.place(BindPolicy.of(List.of(PortBinding.values()).get(random.nextInt(3))));
                case 1, 2, 3, 4, 5, 6 ->
                    results.add(expose(
                            new Forward(
                                    HostEndpoint.tcp(random.nextBoolean() ? ANY : LAN, 1000 + random.nextInt(12)),
                                    CONTAINER,
                                    80),
                            Owner.container(random.nextInt(3))));
                case 7, 8, 9, 10 -> table.release(1 + random.nextInt(1 + results.size()));
                case 11, 12, 13, 14, 15, 16 -> {
                    if (loop.on(() -> !opening.isEmpty())) {
                        bind();
                    }
                }
                default -> {
                    if (loop.on(() -> !opening.isEmpty())) {
                        fail(98);
                    }
                }
            }
            loop.settle();
        }
        while (loop.on(() -> !opening.isEmpty())) {
            bind();
        }
        model.clear();
        await(table.list()).stream().filter(p -> p.note().isEmpty()).forEach(p -> model.put(p.id(), p.host()));
        List<HostEndpoint> open = loop.on(() -> listeners.stream()
                .filter(l -> l.opened.isSuccess() && l.closes == 0)
                .map(l -> l.host)
                .toList());
        assertThat(open).as("seed %d", seed).containsExactlyInAnyOrderElementsOf(model.values());
        assertThat(loop.on(() -> listeners.stream().allMatch(l -> l.closes <= 1)))
                .as("seed %d: one close each", seed)
                .isTrue();
        assertThat(results).as("seed %d: every wish was answered", seed).allMatch(CompletableFuture::isDone);
        assertThat(heard.stream().filter(h -> h.startsWith("+")).count()
                        - heard.stream().filter(h -> h.startsWith("-")).count())
                .isEqualTo(model.size());
    }
}
