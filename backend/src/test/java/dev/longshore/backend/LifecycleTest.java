package dev.longshore.backend;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.control.Events;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class LifecycleTest {
    private final List<String> calls = new ArrayList<>();
    private final List<String> steps = new ArrayList<>();

    @Test
    void parts_startAndStop_inOrderAndInReverse() throws Exception {
        Lifecycle lifecycle = lifecycle(part("a"), part("b"), part("c"));

        lifecycle.start();
        lifecycle.stop();
        lifecycle.stop();

        assertThat(calls).containsExactly("+a", "+b", "+c", "-c", "-b", "-a");
    }

    @Test
    void part_failsToStart_thoseBeforeItAreStoppedInReverse() {
        Lifecycle lifecycle = lifecycle(part("a"), part("b"), failing("c", new PartException("no disk")), part("d"));

        assertThatThrownBy(lifecycle::start).isInstanceOf(PartException.class).hasMessage("no disk");

        assertThat(calls).containsExactly("+a", "+b", "+c", "-b", "-a");
        assertThat(steps).containsExactly("a BEGUN", "a DONE", "b BEGUN", "b DONE", "c BEGUN", "c FAILED no disk");
    }

    @Test
    void part_throwsAnythingElse_isNamedInTheText() {
        Lifecycle lifecycle = lifecycle(part("a"), failing("b", new IllegalStateException("broken")));

        assertThatThrownBy(lifecycle::start)
                .isInstanceOf(PartException.class)
                .hasMessage("b: IllegalStateException: broken");
        assertThat(calls).containsExactly("+a", "+b", "-a");
    }

    @Test
    void part_failsToStop_doesNotKeepTheOthers() throws Exception {
        Part stubborn = new RecordedPart("b", calls, () -> {}, () -> {
            throw new IllegalStateException("stuck");
        });
        Lifecycle lifecycle = lifecycle(part("a"), stubborn, part("c"));

        lifecycle.start();
        lifecycle.stop();

        assertThat(calls).containsExactly("+a", "+b", "+c", "-c", "-b", "-a");
    }

    @Test
    void interruptDuringAStart_rollsBack() {
        Part interrupted =
                new RecordedPart("b", calls, () -> Thread.currentThread().interrupt(), () -> {});
        Lifecycle lifecycle = lifecycle(part("a"), interrupted, part("c"));

        assertThatThrownBy(lifecycle::start).isInstanceOf(InterruptedException.class);

        assertThat(calls).containsExactly("+a", "+b", "-b", "-a");
        assertThat(steps).endsWith("c FAILED cancelled");
        assertThat(Thread.interrupted()).isFalse();
    }

    @Test
    void ioEndedByAnInterrupt_isACancellationAndNoFailure() {
        Part interrupted = new RecordedPart(
                "b",
                calls,
                () -> {
                    Thread.currentThread().interrupt();
                    throw new java.nio.channels.ClosedByInterruptException();
                },
                () -> {});
        Lifecycle lifecycle = lifecycle(part("a"), interrupted);

        assertThatThrownBy(lifecycle::start).isInstanceOf(InterruptedException.class);

        assertThat(calls).containsExactly("+a", "+b", "-a");
    }

    private Lifecycle lifecycle(Part... parts) {
        return new Lifecycle(List.of(parts), step -> {
            String text = step.phase() == Events.Phase.FAILED ? " " + step.text() : "";
            steps.add(step.name() + " " + step.phase() + text);
        });
    }

    private Part part(String name) {
        return new RecordedPart(name, calls, () -> {}, () -> {});
    }

    private Part failing(String name, Exception failure) {
        return new RecordedPart(
                name,
                calls,
                () -> {
                    throw failure;
                },
                () -> {});
    }
}
