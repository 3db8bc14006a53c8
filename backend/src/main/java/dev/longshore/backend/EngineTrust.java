package dev.longshore.backend;

import dev.longshore.config.SettingsWatch;
import dev.longshore.control.Events;
import io.netty.util.concurrent.DefaultThreadFactory;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Future;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Has the Engine trust the certificate authorities that the host trusts, and those that the settings name; also when they change while
 * it runs. A Go program reads its store once, so the Engine is restarted for that: its containers run on, the ports stay bound, and
 * nobody is interrupted, since it is done only when nobody uses the Engine. Thread-safe: all work is done on a thread of its own.
 */
final class EngineTrust implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(EngineTrust.class);
    private static final Duration PAUSE = Duration.ofSeconds(1);

    /** After so many attempts the user hears why it takes so long. */
    private static final int QUIET_ATTEMPTS = 5;

    /** Longest wait before certificates are offered again that the guest did not take, as a power of two of the pause. */
    private static final int MAX_BACKOFF = 6;

    private static final String AT_ONCE = " (longshore restart: at once)";

    /** What is done with the Engine. All methods may block. */
    interface Control {
        /** Puts the certificates where the Engine finds them when it starts. */
        void hand(List<String> lines) throws Exception;

        /** True if there is an Engine to restart: it has answered once. */
        boolean isUp();

        /** True of an Engine in a swarm, which refuses to leave its containers alone. */
        boolean isInSwarm() throws Exception;

        /** Callers wait from now on, if nobody uses the Engine. */
        boolean pause() throws Exception;

        /** Restarts it under its containers, and returns when it has ended and begun. */
        void restart() throws Exception;

        /** Returns when it answers; callers go on. */
        void resume() throws Exception;
    }

    private final Control control;
    private final List<Path> stores;
    private final Consumer<List<Path>> onChange;
    private final Consumer<Events.What> events;
    private final Duration pause;
    private final ScheduledThreadPoolExecutor worker;

    // Of the worker:
    private List<Path> files = List.of();
    private @Nullable List<String> seen; // on the host
    private @Nullable List<String> handed; // null while what the guest has is not known
    private @Nullable List<String> known; // by the Engine's process; null if that may have begun without ours
    private List<String> problems = List.of();
    private int failures; // of handing over, one after the other
    private @Nullable Future<?> retry;
    private @Nullable SettingsWatch watch;
    private boolean trying;
    private int attempts;

    /**
     * @param onChange called with the files when their content, or that of the host's store, is another one, whatever becomes of the
     *     Engine
     */
    EngineTrust(Control control, Consumer<List<Path>> onChange, Consumer<Events.What> events) {
        this(control, HostAuthorities.STORES, onChange, events, PAUSE);
    }

    EngineTrust(
            Control control,
            List<Path> stores,
            Consumer<List<Path>> onChange,
            Consumer<Events.What> events,
            Duration pause) {
        this.control = control;
        this.stores = stores;
        this.onChange = onChange;
        this.events = events;
        this.pause = pause;
        worker = new ScheduledThreadPoolExecutor(1, new DefaultThreadFactory("authorities", true));
        worker.setExecuteExistingDelayedTasksAfterShutdownPolicy(false);
    }

    /** The settings name these files now. Also the beginning, when the guest's agent answers. */
    void use(List<Path> named) {
        run(() -> {
            if (watch == null || !files.equals(named)) {
                files = named;
                follow();
            }
            look();
        });
    }

    private void run(Runnable task) {
        try {
            worker.execute(task);
        } catch (RejectedExecutionException e) {
            LOG.debug("the guest stops");
        }
    }

    private void follow() {
        stopFollowing();
        List<Path> all = new ArrayList<>(stores);
        all.addAll(files);
        try {
            watch = new SettingsWatch(all, () -> run(this::look));
        } catch (IOException e) {
            tell("changes of certificate authorities are seen at the next start only: " + e.getMessage());
        }
    }

    private void stopFollowing() {
        SettingsWatch open = watch;
        watch = null;
        if (open != null) {
            open.close();
        }
    }

    private void look() {
        HostAuthorities.Found found = HostAuthorities.read(stores, files);
        if (!found.problems().equals(problems)) {
            problems = found.problems();
            problems.forEach(this::tell);
        }
        boolean other = seen != null && !found.lines().equals(seen);
        seen = found.lines();
        if (other) {
            onChange.accept(files); // whether the guest takes them or not: it is about our own connections
        }
        Future<?> again = retry;
        if (again != null) {
            again.cancel(false);
            retry = null;
        }
        if (!found.lines().equals(handed) && hand(found)) {
            handedOver(found.lines());
        }
    }

    /** True if the guest has them now; else it is tried again, since it may only have been busy. */
    private boolean hand(HostAuthorities.Found found) {
        handed = null; // an answer that is lost is no sign of what was done
        try {
            control.hand(found.lines());
        } catch (Exception e) {
            if (worker.isShutdown()) {
                return false; // that is why it failed
            }
            if (failures++ == 0) {
                tell("the Engine does not trust what the host trusts: " + e.getMessage() + "; it is tried again");
            } else {
                LOG.debug("certificate authorities were not taken for the {}th time: {}", failures, e.toString());
            }
            retry = later(this::look, pause.multipliedBy(1L << Math.min(failures - 1, MAX_BACKOFF)));
            return false;
        }
        handed = found.lines();
        LOG.info("the guest has the host's {} certificate authorities", found.certificates());
        return true;
    }

    private void handedOver(List<String> lines) {
        boolean late = failures > 0;
        failures = 0;
        if (known == null && !control.isUp()) {
            known = lines; // it looks when it makes its first connection, which nobody can have asked it for
        }
        if (lines.equals(known)) {
            if (late) {
                tell("the Engine trusts what the host trusts now");
            }
        } else if (!trying) {
            trying = true;
            attempts = 0;
            attempt();
        }
    }

    /** Goes on until nobody uses the Engine, or nothing is to be done any more. */
    private void attempt() {
        trying = false;
        if (handed == null || handed.equals(known)) {
            return;
        }
        try {
            if (control.isUp() && control.isInSwarm()) {
                known = handed; // said once
                tell(
                        "the certificate authorities have changed, and an Engine in a swarm can't be restarted under its containers:"
                                + " longshore restart has it know them");
                return;
            }
            if (control.isUp() && control.pause()) {
                restart(handed);
                return;
            }
        } catch (Exception e) {
            known = handed;
            tell(
                    "the certificate authorities have changed, and the Engine could not be restarted under its containers: "
                            + e.getMessage() + "; longshore restart has it know them");
            return;
        }
        attempts++;
        if (attempts == QUIET_ATTEMPTS) {
            tell(
                    "the certificate authorities have changed: the Engine knows them as soon as no docker command is under way"
                            + AT_ONCE);
        }
        trying = true;
        Future<?> _ = later(this::attempt, pause);
    }

    private @Nullable Future<?> later(Runnable task, Duration delay) {
        try {
            return worker.schedule(task, delay.toMillis(), TimeUnit.MILLISECONDS);
        } catch (RejectedExecutionException e) {
            LOG.debug("the guest stops");
            return null;
        }
    }

    private void restart(List<String> now) throws Exception {
        try {
            control.restart();
        } finally {
            control.resume();
        }
        known = now;
        tell("the Engine trusts the certificate authorities as they are now; it was restarted under its containers");
    }

    private void tell(String text) {
        LOG.info("{}", text);
        events.accept(new Events.Notice(text));
    }

    /** What is being done is interrupted. Idempotent. */
    @Override
    public void close() {
        worker.shutdownNow();
        try {
            boolean _ = worker.awaitTermination(10, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        stopFollowing();
    }
}
