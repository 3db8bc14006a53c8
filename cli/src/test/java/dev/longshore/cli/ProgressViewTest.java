package dev.longshore.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.Duration;
import dev.longshore.proto.control.v1.Event;
import dev.longshore.proto.control.v1.StepEvent;
import dev.longshore.proto.control.v1.StepEvent.Phase;
import java.io.PrintWriter;
import java.io.StringWriter;
import org.junit.jupiter.api.Test;

class ProgressViewTest {
    private final StringWriter err = new StringWriter();
    private long now;

    @Test
    void steps_withoutATerminal_areALineEach() {
        ProgressView view = view(false);

        view.show(step(Phase.PHASE_BEGUN, "Guest booted", 0));
        view.show(step(Phase.PHASE_DONE, "Guest booted", 1500));
        view.show(step(Phase.PHASE_FAILED, "no kernel", 0));

        assertThat(err.toString().lines().map(String::strip))
                .containsExactly("Guest booted                                                1.5 s", "failed: step");
    }

    @Test
    void longStep_withoutATerminal_saysNowAndThenHowFarItIs() {
        ProgressView view = view(false);

        for (int second = 0; second <= 12; second++) {
            now = second * 1_000_000_000L;
            view.show(step(Phase.PHASE_PROGRESS, "second " + second, 0));
        }

        assertThat(err.toString().lines().map(String::strip)).containsExactly("second 5", "second 10");
    }

    @Test
    void progress_onATerminal_isOverwrittenByTheResult() {
        ProgressView view = view(true);

        view.show(step(Phase.PHASE_BEGUN, "Guest booted", 0));
        view.show(step(Phase.PHASE_DONE, "Guest booted", 1500));

        assertThat(err.toString()).startsWith("\r\u001b[K  Guest booted …\r\u001b[K  Guest booted  ");
    }

    private ProgressView view(boolean live) {
        return new ProgressView(
                new Terminal(new PrintWriter(new StringWriter()), new PrintWriter(err), live), () -> now);
    }

    private static Event step(Phase phase, String text, int millis) {
        return Event.newBuilder()
                .setStep(StepEvent.newBuilder()
                        .setName("step")
                        .setPhase(phase)
                        .setText(text)
                        .setElapsed(
                                Duration.newBuilder().setSeconds(millis / 1000).setNanos(millis % 1000 * 1_000_000)))
                .build();
    }
}
