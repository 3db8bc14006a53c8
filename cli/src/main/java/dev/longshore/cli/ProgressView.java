package dev.longshore.cli;

import com.google.protobuf.Duration;
import dev.longshore.proto.control.v1.Event;
import dev.longshore.proto.control.v1.StepEvent;
import java.util.Locale;
import java.util.function.LongSupplier;

/**
 * A line for each step of a start. On a terminal the step under way is shown and overwritten; elsewhere a long step says
 * every few seconds how far it is. Confined to the command's thread.
 */
final class ProgressView {
    private static final long QUIET_NANOS = 5_000_000_000L;
    private static final int WIDTH = 56;

    private final Terminal terminal;
    private final LongSupplier nanoTime;
    private long lastLine;
    private boolean open;

    ProgressView(Terminal terminal, LongSupplier nanoTime) {
        this.terminal = terminal;
        this.nanoTime = nanoTime;
        lastLine = nanoTime.getAsLong();
    }

    void show(Event event) {
        switch (event.getEventCase()) {
            case STEP -> step(event.getStep());
            case NOTICE -> line("  note: " + event.getNotice().getText());
            case STATE, PORT, SETTINGS, POLICY, EVENT_NOT_SET -> {
                // The command itself reports the end.
            }
        }
    }

    private void step(StepEvent step) {
        switch (step.getPhase()) {
            case PHASE_BEGUN -> transientLine(step.getText() + " …");
            case PHASE_PROGRESS -> progress(step.getText());
            case PHASE_DONE ->
                line(String.format(
                        Locale.ROOT, "  %-" + WIDTH + "s %6.1f s", step.getText(), seconds(step.getElapsed())));
            case PHASE_FAILED -> line("  failed: " + step.getName());
            case PHASE_UNSPECIFIED, UNRECOGNIZED -> {
                // A newer daemon's: nothing to say about it.
            }
        }
    }

    private void progress(String text) {
        if (terminal.live()) {
            transientLine(text);
        } else if (nanoTime.getAsLong() - lastLine >= QUIET_NANOS) {
            line("    " + text);
        }
    }

    private void transientLine(String text) {
        if (terminal.live()) {
            String shown = text.length() > WIDTH + 16 ? text.substring(0, WIDTH + 16) : text;
            terminal.err().print("\r\u001b[K  " + shown);
            terminal.err().flush();
            open = true;
        }
    }

    private void line(String text) {
        if (open) {
            terminal.err().print("\r\u001b[K");
            open = false;
        }
        terminal.say(text);
        lastLine = nanoTime.getAsLong();
    }

    private static double seconds(Duration duration) {
        return duration.getSeconds() + duration.getNanos() / 1e9;
    }
}
