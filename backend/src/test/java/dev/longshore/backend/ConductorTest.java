package dev.longshore.backend;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.config.Home;
import dev.longshore.control.Events;
import dev.longshore.control.Outcome;
import dev.longshore.control.Ports;
import dev.longshore.control.Status;
import java.nio.file.Path;
import java.time.Clock;
import java.util.List;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(20)
class ConductorTest {
    private final List<String> calls = new CopyOnWriteArrayList<>();
    private final AtomicReference<Part> middle = new AtomicReference<>(part("b"));
    private final AtomicReference<GuestStack.Ended> ended = new AtomicReference<>();
    private final EventLog events = new EventLog(Clock.systemUTC());
    private final Conductor conductor = new Conductor(
            Home.at(Path.of("/h"), Path.of("/c")), events, this::stack, () -> "", () -> Status.Configuration.NONE);

    @Test
    void start_thenStop_goesThroughTheStates() throws Exception {
        assertThat(get(conductor.startGuest())).isEqualTo(new Outcome.Done<>("unix:///h/run/docker.sock"));
        assertThat(conductor.status().state()).isEqualTo(Status.State.RUNNING);

        assertThat(get(conductor.stopGuest())).isInstanceOf(Outcome.Done.class);

        assertThat(calls).containsExactly("+a", "+b", "+c", "-c", "-b", "-a");
        assertThat(states())
                .containsExactly(
                        Status.State.STARTING, Status.State.RUNNING, Status.State.STOPPING, Status.State.STOPPED);
    }

    @Test
    void startTwice_whileStarting_isOneStart() throws Exception {
        CountDownLatch go = new CountDownLatch(1);
        middle.set(new RecordedPart("b", calls, go::await, () -> {}));

        CompletionStage<Outcome<String>> first = conductor.startGuest();
        CompletionStage<Outcome<String>> second = conductor.startGuest();
        go.countDown();

        assertThat(get(first)).isEqualTo(get(second));
        assertThat(get(conductor.startGuest())).isInstanceOf(Outcome.Done.class);
        assertThat(calls).containsExactly("+a", "+b", "+c");
    }

    @Test
    void failedStart_tellsTheReasonAndCanBeRepeated() throws Exception {
        middle.set(new RecordedPart(
                "b",
                calls,
                () -> {
                    throw new PartException("no kernel");
                },
                () -> {}));

        assertThat(get(conductor.startGuest())).isEqualTo(new Outcome.Failed<>(Outcome.Reason.FAILED, "no kernel"));
        assertThat(conductor.status().state()).isEqualTo(Status.State.FAILED);
        assertThat(conductor.status().message()).isEqualTo("no kernel");

        middle.set(part("b"));
        assertThat(get(conductor.startGuest())).isInstanceOf(Outcome.Done.class);
        assertThat(calls).containsExactly("+a", "+b", "-a", "+a", "+b", "+c");
    }

    @Test
    void stop_duringAStart_interruptsIt() throws Exception {
        CountDownLatch inside = new CountDownLatch(1);
        middle.set(new RecordedPart(
                "b",
                calls,
                () -> {
                    inside.countDown();
                    new CountDownLatch(1).await();
                },
                () -> {}));
        CompletionStage<Outcome<String>> start = conductor.startGuest();
        inside.await();

        assertThat(get(conductor.stopGuest())).isInstanceOf(Outcome.Done.class);

        assertThat(get(start)).isInstanceOfSatisfying(Outcome.Failed.class, f -> assertThat(f.reason())
                .isEqualTo(Outcome.Reason.CANCELLED));
        assertThat(calls).containsExactly("+a", "+b", "-a");
        assertThat(conductor.status().state()).isEqualTo(Status.State.STOPPED);
    }

    @Test
    void guestEndsByItself_partsAreStoppedAndTheReasonIsTold() throws Exception {
        get(conductor.startGuest());
        CountDownLatch failed = new CountDownLatch(1);
        events.onNew(() -> {
            if (conductor.status().state() == Status.State.FAILED) {
                failed.countDown();
            }
        });

        ended.get().onEnd("the kernel panicked");
        ended.get().onEnd("said twice");
        failed.await();

        assertThat(calls).containsExactly("+a", "+b", "+c", "-c", "-b", "-a");
        assertThat(conductor.status().message()).isEqualTo("the kernel panicked");
        assertThat(get(conductor.startGuest())).isInstanceOf(Outcome.Done.class);
    }

    @Test
    void guestEndsDuringItsStart_isTheReasonOfTheFailure() throws Exception {
        middle.set(new RecordedPart(
                "b",
                calls,
                () -> {
                    ended.get().onEnd("the kernel panicked");
                    new CountDownLatch(1).await();
                },
                () -> {}));

        assertThat(get(conductor.startGuest()))
                .isEqualTo(new Outcome.Failed<>(Outcome.Reason.FAILED, "the kernel panicked"));
        assertThat(conductor.status().state()).isEqualTo(Status.State.FAILED);
    }

    @Test
    void shutdown_stopsEverythingAndRefusesAStart() throws Exception {
        get(conductor.startGuest());

        conductor.shutdown();
        conductor.shutdown();
        conductor.awaitEnd();

        assertThat(calls).endsWith("-c", "-b", "-a");
        assertThat(get(conductor.startGuest())).isInstanceOf(Outcome.Failed.class);
    }

    @Test
    void ports_withoutAGuest_areEmptyAndRefused() throws Exception {
        assertThat(conductor.ports().list()).isEmpty();
        assertThat(get(conductor.ports().unexpose(Ports.Protocol.TCP, "", 1)))
                .isInstanceOfSatisfying(
                        Outcome.Failed.class, f -> assertThat(f.reason()).isEqualTo(Outcome.Reason.WRONG_STATE));
    }

    private List<Status.State> states() {
        return events.after(0, 100).stream()
                .map(Events.Event::what)
                .filter(Events.StateChanged.class::isInstance)
                .map(w -> ((Events.StateChanged) w).state())
                .toList();
    }

    private static <T> T get(CompletionStage<T> stage) throws Exception {
        return stage.toCompletableFuture().get(10, TimeUnit.SECONDS);
    }

    private Part part(String name) {
        return new RecordedPart(name, calls, () -> {}, () -> {});
    }

    private GuestStack stack(GuestStack.Ended listener) {
        ended.set(listener);
        return new FakeStack(List.of(part("a"), middle.get(), part("c")));
    }

    private record FakeStack(List<Part> parts) implements GuestStack {
        @Override
        public Status.Guest guest() {
            return new Status.Guest("fake", 1, null, 1, 1, true);
        }

        @Override
        public Status.Engine engine() {
            return new Status.Engine(true, "1", "1");
        }

        @Override
        public Status.Network network() {
            return new Status.Network("", false, "", "", "", "", 1500, true, 0, List.of(), "", List.of());
        }

        @Override
        public Ports ports() {
            throw new IllegalStateException("not asked for");
        }

        @Override
        public @Nullable NetworkView view() {
            return null;
        }

        @Override
        public @Nullable DnsView dns() {
            return null;
        }

        @Override
        public @Nullable PolicyView policy() {
            return null;
        }

        @Override
        public @Nullable ProxyView proxies() {
            return null;
        }

        @Override
        public @Nullable FilesView files() {
            return null;
        }
    }
}
