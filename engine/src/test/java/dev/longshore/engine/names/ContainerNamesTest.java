package dev.longshore.engine.names;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.packet.wire.IpAddress;
import dev.longshore.testkit.VirtualLoop;
import dev.longshore.vpnkit.flow.ContainerIdentity;
import io.netty.util.concurrent.Future;
import io.netty.util.concurrent.Promise;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** A scripted Engine in virtual time: what it tells comes late, and addresses pass from container to container. */
class ContainerNamesTest {
    private static final IpAddress A = IpAddress.parse("172.17.0.2");
    private static final IpAddress B = IpAddress.parse("172.17.0.3");

    private final VirtualLoop loop = new VirtualLoop();
    private final ArrayDeque<Promise<JsonNode>> lists = new ArrayDeque<>();
    private final ContainerNames names = new ContainerNames(loop, this::list, ContainerNames.Patience.DEFAULT);

    /** The Engine's truth: addresses of running containers by name, which is their id. */
    private final Map<String, IpAddress> running = new TreeMap<>();

    @AfterEach
    void close() {
        names.end();
        loop.close();
    }

    private Future<JsonNode> list() {
        Promise<JsonNode> promise = loop.newPromise();
        lists.add(promise);
        return promise;
    }

    private static JsonNode parse(String text) {
        return JsonMapper.shared().readTree(text);
    }

    private static String networks(@Nullable IpAddress address) {
        return "\"NetworkSettings\":{\"Networks\":{\"bridge\":{\"IPAddress\":\"" + (address == null ? "" : address)
                + "\"}}}";
    }

    private JsonNode listNow() {
        return parse(running.entrySet().stream()
                .map(e -> "{\"Id\":\"" + e.getKey() + "\",\"Names\":[\"/" + e.getKey() + "\"]," + networks(e.getValue())
                        + "}")
                .collect(Collectors.joining(",", "[", "]")));
    }

    private JsonNode inspectNow(String name) {
        return parse("{\"Id\":\"" + name + "\",\"Name\":\"/" + name + "\",\"State\":{\"Running\":"
                + running.containsKey(name) + "}," + networks(running.get(name)) + "}");
    }

    private void told(String name) {
        names.onInspected(name, inspectNow(name));
    }

    private @Nullable String of(IpAddress address) {
        ContainerIdentity who = names.of(address);
        return who == null ? null : who.name();
    }

    private static @Nullable String name(Future<Optional<ContainerIdentity>> asked) {
        assertThat(asked.isDone()).isTrue();
        return asked.getNow().map(ContainerIdentity::name).orElse(null);
    }

    private Future<Optional<ContainerIdentity>> ask(IpAddress address) {
        Future<Optional<ContainerIdentity>> asked = names.ask(address, loop);
        loop.runDue();
        return asked;
    }

    @Test
    void inspectedContainer_isKnown_andAskingNeedsNoList() {
        names.begin();
        running.put("web", A);
        told("web");

        assertThat(of(A)).isEqualTo("web");
        assertThat(name(ask(A))).isEqualTo("web");
        assertThat(lists).isEmpty();
        assertThat(of(B)).isNull();
    }

    @Test
    void containerThatSpeaksBeforeItsStartIsTold_isFoundByOneListForAllWhoAsk() {
        names.begin();
        running.put("web", A);
        running.put("db", B);
        Future<Optional<ContainerIdentity>> first = ask(A);
        Future<Optional<ContainerIdentity>> second = ask(A);
        Future<Optional<ContainerIdentity>> third = ask(B);
        assertThat(lists).hasSize(1);
        assertThat(first.isDone()).isFalse();

        lists.remove().setSuccess(listNow());
        loop.runDue();
        assertThat(name(first)).isEqualTo("web");
        assertThat(name(second)).isEqualTo("web");
        assertThat(name(third)).isEqualTo("db");
    }

    @Test
    void containerThatTheEngineDoesNotListYet_isAskedForAgain() {
        names.begin();
        Future<Optional<ContainerIdentity>> asked = ask(A);
        lists.remove().setSuccess(listNow());
        loop.advance(Duration.ofMillis(150));
        running.put("web", A);
        lists.remove().setSuccess(listNow());
        loop.runDue();

        assertThat(name(asked)).isEqualTo("web");
        loop.advance(Duration.ofSeconds(5));
        assertThat(lists).as("nobody waits any more").isEmpty();
    }

    @Test
    void tellingAnswersThoseWhoAsk_tooWhileTheListIsStillOnItsWay() {
        names.begin();
        Future<Optional<ContainerIdentity>> asked = ask(A);
        running.put("web", A);
        told("web");
        loop.runDue();
        assertThat(name(asked)).isEqualTo("web");
    }

    @Test
    void silentEngine_isNotWaitedForLongerThanASecond_andStrangersAreNotAskedForAtOnceAgain() {
        names.begin();
        Future<Optional<ContainerIdentity>> asked = ask(A);
        loop.advance(Duration.ofMillis(950));
        assertThat(name(asked)).isNull();

        assertThat(name(ask(A))).as("asked for just now").isNull();
        assertThat(ask(B).isDone()).as("another one").isFalse();
        assertThat(lists).as("one at a time").hasSize(1);
        loop.advance(Duration.ofSeconds(3));
        assertThat(ask(A).isDone()).isFalse();
    }

    @Test
    void failingList_isTriedAgain() {
        names.begin();
        Future<Optional<ContainerIdentity>> asked = ask(A);
        lists.remove().setFailure(new IOException("gone"));
        loop.advance(Duration.ofMillis(150));
        running.put("web", A);
        lists.remove().setSuccess(listNow());
        loop.runDue();
        assertThat(name(asked)).isEqualTo("web");
    }

    @Test
    void endedContainer_isNobodyAtOnce_butRememberedByThoseWhoAsk_forHalfAMinute() {
        names.begin();
        running.put("web", A);
        told("web");
        long generation = names.generation();
        running.remove("web");
        names.onEnded("web");
        assertThat(of(A)).isNull();
        assertThat(names.generation()).isNotEqualTo(generation);

        Future<Optional<ContainerIdentity>> asked = ask(A);
        assertThat(asked.isDone()).as("the Engine may know better").isFalse();
        loop.advance(Duration.ofSeconds(1));
        assertThat(name(asked)).isEqualTo("web");

        loop.advance(Duration.ofSeconds(30));
        asked = ask(A);
        loop.advance(Duration.ofSeconds(1));
        assertThat(name(asked)).isNull();
    }

    @Test
    void nextContainerWithTheAddress_isNotTakenForTheOneBefore() {
        names.begin();
        running.put("web", A);
        told("web");
        running.remove("web");
        running.put("next", A);
        names.onEnded("web");
        Future<Optional<ContainerIdentity>> asked = ask(A);
        lists.remove().setSuccess(listNow());
        loop.runDue();
        assertThat(name(asked)).isEqualTo("next");

        told("web"); // the inspection after its end
        assertThat(of(A)).isEqualTo("next");
    }

    @Test
    void listThatWasMadeBeforeTheEnd_doesNotBringItBack() {
        names.begin();
        running.put("web", A);
        Future<Optional<ContainerIdentity>> asked = ask(A);
        JsonNode before = listNow();
        running.remove("web");
        names.onEnded("web");
        lists.remove().setSuccess(before);
        loop.runDue();
        assertThat(of(A)).isNull();
        loop.advance(Duration.ofSeconds(1));
        assertThat(name(asked)).isNull();
    }

    @Test
    void fullList_endsThoseThatAreNotInIt() {
        names.begin();
        running.put("web", A);
        running.put("db", B);
        names.onList(listNow());
        assertThat(of(B)).isEqualTo("db");
        running.remove("web");
        names.onList(listNow());
        assertThat(of(A)).isNull();
        assertThat(of(B)).isEqualTo("db");
    }

    @Test
    void renamedContainer_hasItsNewName() {
        names.begin();
        running.put("web", A);
        told("web");
        names.onInspected(
                "web", parse("{\"Id\":\"web\",\"Name\":\"/shop\",\"State\":{\"Running\":true}," + networks(A) + "}"));
        assertThat(of(A)).isEqualTo("shop");
    }

    @Test
    void tasksOfASwarm_areKnownByTheirGatewaysAddress() {
        names.begin();
        running.put("task", IpAddress.parse("10.0.1.5"));
        told("task");
        names.onGateways(parse("{\"Containers\":{\"task\":{\"IPv4Address\":\"172.17.0.2/16\"},\"ingress-sbox\":"
                + "{\"IPv4Address\":\"172.17.0.3/16\"}}}"));
        assertThat(of(A)).isEqualTo("task");
        assertThat(of(B)).isNull();

        names.onEnded("task");
        assertThat(of(A)).isNull();
    }

    @Test
    void withoutAnEngine_nobodyIsKnown_andNobodyWaits() {
        assertThat(name(ask(A))).isNull();
        names.begin();
        running.put("web", A);
        told("web");
        Future<Optional<ContainerIdentity>> asked = ask(B);
        names.end();
        loop.runDue();
        assertThat(name(asked)).isNull();
        assertThat(of(A)).isNull();
        assertThat(name(ask(A))).isNull();
    }

    @Test
    void inventedAddresses_costTheEngineOneListASecond_untilThereAreNews() {
        names.begin();
        int all = 0;
        for (int i = 0; i < 600; i++) { // a minute
            ask(IpAddress.v4(0x0A00_0000 + i));
            for (; !lists.isEmpty(); all++) {
                lists.remove().setSuccess(listNow());
            }
            loop.advance(Duration.ofMillis(100));
        }
        assertThat(all).isLessThan(80);

        running.put("db", B);
        told("db");
        loop.advance(Duration.ofSeconds(1));
        lists.clear();
        Future<Optional<ContainerIdentity>> asked = ask(A);
        for (int i = 0; i < 5; i++) {
            lists.remove().setSuccess(listNow());
            loop.advance(Duration.ofMillis(100));
        }
        running.put("web", A);
        lists.remove().setSuccess(listNow());
        loop.runDue();
        assertThat(name(asked)).isEqualTo("web");
    }

    @Test
    void inventedAddresses_costOneListAtATime_andNothingThatGrows() {
        names.begin();
        List<Future<Optional<ContainerIdentity>>> all = new ArrayList<>();
        for (int i = 0; i < 40_000; i++) {
            all.add(names.ask(IpAddress.v4(0x0A00_0000 + i), loop));
        }
        loop.runDue();
        assertThat(lists).hasSize(1);
        assertThat(all.stream().filter(f -> !f.isDone()).count()).isLessThanOrEqualTo(16_384);
        loop.advance(Duration.ofSeconds(1));
        assertThat(all).allMatch(Future::isDone);
    }

    /**
     * Random histories: starts and ends on four addresses, events and inspections that come late and in order, lists that come
     * whenever they like. Nobody is ever given who was told to have ended, who asks is answered within a second and never with
     * another than those who had the address meanwhile, or had it last, and in the end everything is right.
     */
    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12})
    void anyHistory_namesTheRightOnes(long seed) {
        new History(seed).run();
    }

    private final class History {
        private final Random random;
        private final String seed;
        private final ArrayDeque<Runnable> events = new ArrayDeque<>();
        private final ArrayDeque<String> dirty = new ArrayDeque<>();
        private final Set<String> toldEnded = new HashSet<>();
        private final List<Question> questions = new ArrayList<>();
        private final Map<IpAddress, Set<String>> everHad = new HashMap<>();
        private int lastName;
        private String inspecting = "";
        private @Nullable JsonNode inspection;
        private boolean overtaken;

        private record Question(
                IpAddress address, long at, Set<String> may, Future<Optional<ContainerIdentity>> answer) {}

        History(long seed) {
            random = new Random(seed);
            this.seed = "seed " + seed;
        }

        void run() {
            names.begin();
            for (int i = 0; i < 3000; i++) {
                step();
                loop.runDue();
                check();
            }
            settle();
            for (int i = 0; i < 4; i++) {
                IpAddress address = IpAddress.v4(A.v4Bits() + i);
                String right = running.entrySet().stream()
                        .filter(e -> e.getValue().equals(address))
                        .map(Map.Entry::getKey)
                        .findAny()
                        .orElse(null);
                assertThat(of(address)).as(seed).isEqualTo(right);
            }
            loop.advance(Duration.ofSeconds(1));
            assertThat(questions).as(seed).allMatch(q -> q.answer.isDone());
        }

        private void step() {
            switch (random.nextInt(9)) {
                case 0 -> start();
                case 1 -> die();
                case 2, 3 -> deliver();
                case 4, 5 -> inspect();
                case 6 -> answerList();
                case 7 -> question();
                default -> loop.advance(Duration.ofMillis(random.nextInt(120)));
            }
        }

        private void start() {
            IpAddress address = IpAddress.v4(A.v4Bits() + random.nextInt(4));
            if (running.containsValue(address)) {
                return;
            }
            String name = "c" + ++lastName;
            running.put(name, address);
            everHad.computeIfAbsent(address, _ -> new HashSet<>()).add(name);
            for (Question q : questions) {
                if (!q.answer.isDone() && q.address.equals(address)) {
                    q.may.add(name);
                }
            }
            events.add(() -> dirty.add(name));
        }

        private void die() {
            if (running.isEmpty()) {
                return;
            }
            String name = List.copyOf(running.keySet()).get(random.nextInt(running.size()));
            running.remove(name);
            events.add(() -> {
                toldEnded.add(name);
                names.onEnded(name);
                overtaken |= name.equals(inspecting);
                dirty.add(name);
            });
        }

        private void deliver() {
            Runnable event = events.poll();
            if (event != null) {
                event.run();
            }
        }

        /** In two steps, asked and answered, as the reconciler does it. */
        private void inspect() {
            JsonNode answer = inspection;
            if (answer != null) {
                inspection = null;
                if (!overtaken) {
                    names.onInspected(inspecting, answer);
                }
                inspecting = "";
            } else if (!dirty.isEmpty()) {
                inspecting = dirty.remove();
                overtaken = false;
                inspection = inspectNow(inspecting);
            }
        }

        private @Nullable JsonNode made;

        /** In two steps, too: what the list says was so at some moment since it was asked for. */
        private void answerList() {
            JsonNode answer = made;
            if (answer != null) {
                made = null;
                lists.remove().setSuccess(answer);
            } else if (!lists.isEmpty()) {
                made = listNow();
            }
        }

        private void question() {
            IpAddress address = IpAddress.v4(A.v4Bits() + random.nextInt(4));
            Set<String> may = new HashSet<>(everHad.getOrDefault(address, Set.of()));
            questions.add(new Question(address, loop.clock().nanos(), may, names.ask(address, loop)));
        }

        private void check() {
            for (int i = 0; i < 4; i++) {
                String who = of(IpAddress.v4(A.v4Bits() + i));
                assertThat(who == null || !toldEnded.contains(who))
                        .as("%s: %s was told to have ended", seed, who)
                        .isTrue();
            }
            questions.removeIf(q -> {
                if (!q.answer.isDone()) {
                    assertThat(loop.clock().nanos() - q.at).as(seed).isLessThan(1_100_000_000L);
                    return false;
                }
                String who = name(q.answer);
                assertThat(who == null || q.may.contains(who))
                        .as("%s: %s", seed, who)
                        .isTrue();
                return true;
            });
        }

        private void settle() {
            while (!events.isEmpty() || !dirty.isEmpty() || inspection != null) {
                deliver();
                inspect();
            }
            while (!lists.isEmpty()) {
                answerList();
                loop.runDue();
            }
        }
    }
}
