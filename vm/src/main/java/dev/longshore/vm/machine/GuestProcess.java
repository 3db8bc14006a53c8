package dev.longshore.vm.machine;

import dev.longshore.vm.image.HostTools;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A guest that runs. Thread-safe: its thread owns the process, everything else goes through futures.
 *
 * <p>One thread starts the process, reads its console and waits for its end, because the signal that ends the guest with
 * the daemon (see {@link Leash}) is tied to the thread that started it (prctl(2), PR_SET_PDEATHSIG).
 */
public final class GuestProcess {
    private static final Logger LOG = LoggerFactory.getLogger(GuestProcess.class);
    private static final long FIRST_LOOK_MILLIS = 10;
    private static final long LAST_LOOK_MILLIS = 1_000;

    private final Process process;
    private final CompletableFuture<MachineExit> exit;
    private final String mark;

    /** All that the guest started have gone, or closed the console. */
    private final CompletableFuture<Void> consoleEnded = new CompletableFuture<>();

    private @Nullable CompletableFuture<Void> swept; // under the lock, as the next
    private boolean ended;
    private volatile boolean stopRequested; // written by whoever stops, read by the guest's thread when it ends

    private GuestProcess(Process process, CompletableFuture<MachineExit> exit, String mark) {
        this.process = process;
        this.exit = exit;
        this.mark = mark;
    }

    /** Starts the guest; the devices' sockets must be listening. Blocks for milliseconds. */
    public static GuestProcess start(Machine machine, MachineSpec spec, HostTools tools)
            throws MachineException, InterruptedException {
        Machine.Launch launch = machine.launch(spec);
        Path console = spec.home().consoleLog();
        long limitBytes = ((long) spec.settings().limits().logMiB() << 20) / 2; // of each of the two files
        return start(launch, console, limitBytes, tools, Leash.choose(tools));
    }

    static GuestProcess start(Machine.Launch launch, Path consoleFile, long limitBytes, HostTools tools, Leash leash)
            throws MachineException, InterruptedException {
        LeftOver.end(launch);
        List<String> command = new ArrayList<>(Privileges.drop(tools.isRoot()));
        command.addAll(launch.command());
        ProcessBuilder builder = new ProcessBuilder(leash.tie(command)).redirectErrorStream(true);
        builder.environment().putAll(launch.environment());
        return onItsOwnThread(builder, consoleFile, limitBytes, launch.mark());
    }

    private static GuestProcess onItsOwnThread(ProcessBuilder builder, Path consoleFile, long limitBytes, String mark)
            throws MachineException, InterruptedException {
        CompletableFuture<GuestProcess> started = new CompletableFuture<>();
        Thread.ofPlatform().name("guest-process").daemon(true).start(() -> {
            try (ConsoleLog console = new ConsoleLog(consoleFile, limitBytes, Clock.systemUTC())) {
                Process process = builder.start();
                GuestProcess guest = new GuestProcess(process, new CompletableFuture<>(), mark);
                started.complete(guest);
                guest.follow(console);
            } catch (IOException e) {
                started.completeExceptionally(e); // nothing if it had started: only closing the log failed then
            }
        });
        try {
            return started.get();
        } catch (ExecutionException e) {
            throw new MachineException("the guest can't be started: " + e.getMessage(), e);
        }
    }

    /** Completes when the process has ended, in any way; never exceptionally. */
    public CompletableFuture<MachineExit> exit() {
        return exit.copy();
    }

    /** Of the machine's program. */
    public long pid() {
        return process.pid();
    }

    /**
     * Has the guest power off, and kills it if it does not within the limit, or if it can't be asked.
     *
     * @param powerOff asks the agent; may fail
     */
    public CompletableFuture<MachineExit> stop(Supplier<? extends CompletionStage<?>> powerOff, Duration limit) {
        stopRequested = true;
        if (!exit.isDone()) {
            ask(powerOff).whenComplete((_, failure) -> {
                if (failure != null && !exit.isDone()) {
                    LOG.warn("the guest can't be asked to power off, so it is killed: {}", failure.toString());
                    kill();
                }
            });
            Executor later = CompletableFuture.delayedExecutor(limit.toMillis(), TimeUnit.MILLISECONDS);
            CompletableFuture<Void> deadline = CompletableFuture.runAsync(
                    () -> {
                        LOG.warn("the guest did not power off within {} s, so it is killed", limit.toSeconds());
                        kill();
                    },
                    later);
            exit.whenComplete((_, _) -> deadline.cancel(false));
        }
        return exit();
    }

    /** At once, with all that it started. Blocks for milliseconds. */
    public void kill() {
        stopRequested = true;
        // The traced ones before their tracer: once let go, they would be free for the moment until their namespace
        // dies.
        process.descendants().forEach(ProcessHandle::destroyForcibly);
        process.destroyForcibly();
        sweep();
    }

    /** A child that came to be meanwhile, and had not asked yet to end with its parent, is nobody's descendant now. */
    private synchronized void sweep() {
        if (!ended) { // a later guest of the same home has the same mark
            swept = process.onExit().thenCompose(_ -> sweep(FIRST_LOOK_MILLIS));
        }
    }

    /**
     * Looks again as long as somebody has the console open: a process that is just being replaced by another program (execve) has no
     * command line to be known by.
     */
    private CompletionStage<Void> sweep(long nextMillis) {
        boolean last = consoleEnded.isDone();
        LeftOver.kill(mark);
        return last
                ? CompletableFuture.completedStage(null)
                : CompletableFuture.supplyAsync(
                                () -> sweep(Math.min(2 * nextMillis, LAST_LOOK_MILLIS)),
                                CompletableFuture.delayedExecutor(nextMillis, TimeUnit.MILLISECONDS))
                        .thenCompose(next -> next);
    }

    private static CompletionStage<?> ask(Supplier<? extends CompletionStage<?>> powerOff) {
        try {
            return powerOff.get();
        } catch (RuntimeException e) {
            return CompletableFuture.failedFuture(e);
        }
    }

    /** The life of the guest's thread. */
    private void follow(ConsoleLog console) {
        try {
            console.copy(process.getInputStream());
        } catch (IOException e) {
            LOG.debug("console of the guest", e); // ends with the process
        } finally {
            consoleEnded.complete(null);
        }
        int code = waitFor();
        awaitSweep();
        exit.complete(new MachineExit(code, stopRequested, console.fatal(), console.lastLines()));
    }

    private void awaitSweep() {
        CompletableFuture<Void> begun;
        synchronized (this) {
            ended = true;
            begun = swept;
        }
        if (begun != null) {
            begun.exceptionally(e -> {
                        LOG.warn("looking for what the guest left", e);
                        return null;
                    })
                    .join();
        }
    }

    private int waitFor() {
        while (true) {
            try {
                return process.waitFor();
            } catch (InterruptedException e) {
                LOG.debug("interrupted; the guest ends only with its process", e);
            }
        }
    }
}
