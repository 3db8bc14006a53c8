package dev.longshore.cli;

import dev.longshore.config.Home;
import dev.longshore.config.HomeLock;
import dev.longshore.proto.control.v1.Event;
import dev.longshore.proto.control.v1.GetStatusReply;
import dev.longshore.proto.control.v1.State;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Brings a home to "the Engine answers", from whatever state it is in: nothing there, a daemon that starts or stops or has
 * no guest, another {@code up} at the same time, or what a killed daemon left. Confined to the command's thread.
 */
final class Upping {
    private static final long ANSWER_SECONDS = 30;
    private static final long PAUSE_MILLIS = 50;
    private static final int TAIL_LINES = 12;

    /** The daemon's own exit status for "somebody else holds the home". */
    private static final int HOME_TAKEN = 75;

    private final Home home;
    private final DaemonLauncher launcher;
    private final Terminal terminal;
    private final Instant since = Instant.now();
    private @Nullable Process daemon;

    Upping(Home home, DaemonLauncher launcher, Terminal terminal) {
        this.home = home;
        this.launcher = launcher;
        this.terminal = terminal;
    }

    /** Returns when the Engine answers; true if it did so already. Throws CliException with the reason it does not. */
    boolean up() throws InterruptedException {
        String problem = home.problem();
        if (problem != null) {
            throw new CliException(problem);
        }
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(ANSWER_SECONDS);
        while (System.nanoTime() - deadline < 0) {
            try (ControlClient client = ControlClient.connect(home)) {
                if (client != null) {
                    GetStatusReply status = client.status();
                    switch (status.getState()) {
                        case STATE_RUNNING -> {
                            return daemon == null;
                        }
                        case STATE_STARTING -> {
                            follow(client, status.getStartEvent());
                            return false;
                        }
                        case STATE_STOPPED, STATE_FAILED -> {
                            startGuest(client, status.getStartEvent());
                            return false;
                        }
                        case STATE_STOPPING -> deadline = extend(deadline);
                        case STATE_UNSPECIFIED, UNRECOGNIZED ->
                            throw new CliException("the daemon is of another version; longshore restart renews it");
                    }
                } else {
                    launchUnlessHeld();
                }
            } catch (StatusRuntimeException e) {
                if (!ControlClient.isGone(e)) {
                    throw e;
                }
            }
            TimeUnit.MILLISECONDS.sleep(PAUSE_MILLIS);
        }
        throw new CliException("the daemon (pid " + HomeLock.holder(home) + ") does not answer on "
                + home.controlSocket() + "; longshore down ends it" + tail());
    }

    /** Only begins, unless it runs or starts already. */
    void begin() throws InterruptedException {
        String problem = home.problem();
        if (problem != null) {
            throw new CliException(problem);
        }
        try (ControlClient client = ControlClient.connect(home)) {
            if (client == null) {
                launchUnlessHeld();
                return;
            }
            GetStatusReply status = client.status();
            if (status.getState() == State.STATE_STOPPED || status.getState() == State.STATE_FAILED) {
                long _ = begin(client, status.getStartEvent());
            }
        }
    }

    /** A stop under way takes its time, and is bounded by the daemon. */
    private static long extend(long deadline) {
        return Math.max(deadline, System.nanoTime() + TimeUnit.SECONDS.toNanos(ANSWER_SECONDS));
    }

    private void launchUnlessHeld() throws InterruptedException {
        Process mine = daemon;
        if (mine == null) {
            if (HomeLock.holder(home) == 0) {
                daemon = launcher.start();
            }
            return;
        }
        if (!mine.isAlive()) {
            int status = mine.exitValue();
            if (status != HOME_TAKEN) {
                throw new CliException(lastWords(status));
            }
            daemon = null; // another up was faster: its daemon is ours too
        }
    }

    private void startGuest(ControlClient client, long before) throws InterruptedException {
        follow(client, begin(client, before));
    }

    /** Returns the event that began the start. */
    private static long begin(ControlClient client, long before) throws InterruptedException {
        var start = client.startGuest();
        GetStatusReply status = client.status();
        while (status.getStartEvent() == before && !start.isDone()) {
            TimeUnit.MILLISECONDS.sleep(PAUSE_MILLIS);
            status = client.status();
        }
        return status.getStartEvent();
    }

    /** Shows what happens from the event that began the start on, until it ends one way or the other. */
    private void follow(ControlClient client, long startEvent) {
        ProgressView view = new ProgressView(terminal, System::nanoTime);
        try {
            Iterator<Event> events = client.events(startEvent);
            while (events.hasNext()) {
                Event event = events.next();
                view.show(event);
                if (event.hasState()
                        && ended(event.getState().getState(), event.getState().getText())) {
                    return;
                }
            }
        } catch (StatusRuntimeException e) {
            if (!ControlClient.isGone(e)) {
                throw e;
            }
        }
        throw new CliException("the daemon ended during the start" + tail());
    }

    private boolean ended(State state, String text) {
        return switch (state) {
            case STATE_RUNNING -> true;
            case STATE_FAILED -> throw new CliException(text + tail());
            case STATE_STOPPING, STATE_STOPPED -> throw new CliException("stopped before it had started");
            case STATE_STARTING, STATE_UNSPECIFIED, UNRECOGNIZED -> false;
        };
    }

    /** Why a daemon ended before anybody could ask it: what it wrote to its standard error, if anything. */
    private String lastWords(int status) {
        List<String> words = LogTail.lines(home.outputLog(), TAIL_LINES);
        return words.isEmpty()
                ? "the daemon ended at once, with exit status " + status + tail()
                : String.join("\n", words);
    }

    /** The end of those logs that have been written to since. */
    private String tail() {
        StringBuilder text = new StringBuilder();
        append(text, "the daemon's log", home.backendLog());
        append(text, "the guest's console", home.consoleLog());
        return text.toString();
    }

    private void append(StringBuilder text, String what, Path log) {
        List<String> lines = isNew(log) ? LogTail.lines(log, TAIL_LINES) : List.of();
        if (!lines.isEmpty()) {
            text.append("\n\nThe end of ")
                    .append(what)
                    .append(", ")
                    .append(log)
                    .append(":\n  ")
                    .append(String.join("\n  ", lines));
        }
    }

    private boolean isNew(Path log) {
        try {
            return Files.getLastModifiedTime(log).toInstant().isAfter(since);
        } catch (IOException e) {
            return false;
        }
    }
}
