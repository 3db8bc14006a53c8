package dev.longshore.cli;

import dev.longshore.cli.docker.DockerContext;
import dev.longshore.config.Home;
import dev.longshore.config.HomeLock;
import dev.longshore.config.HomeProcesses;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** Brings a home to "nothing runs, nothing is left", from whatever state it is in. Confined to the command's thread. */
final class Downing {
    private static final long CLEAN_SECONDS = 75;
    private static final long KILL_SECONDS = 10;
    private static final long PAUSE_MILLIS = 50;

    private final Home home;
    private final DockerContext docker;
    private final Terminal terminal;

    Downing(Context context) {
        this.home = context.home();
        this.docker = context.dockerContext();
        this.terminal = context.terminal();
    }

    /** Returns when nothing is left; true if a daemon ran. */
    boolean down() throws InterruptedException {
        long pid = HomeLock.holder(home);
        if (pid != 0) {
            terminal.say("stopping …");
            askToStop(pid);
            if (!ended(home, pid, CLEAN_SECONDS)) {
                terminal.say("the daemon (pid " + pid + ") does not stop; killing it");
                kill(pid);
            }
        }
        sweepUp();
        return pid != 0;
    }

    /** As {@link #down}, without asking anybody: what was not on the disk is lost. */
    boolean kill() throws InterruptedException {
        long pid = HomeLock.holder(home);
        if (pid != 0) {
            kill(pid);
        }
        sweepUp();
        return pid != 0;
    }

    /** Only asks; true if there was a daemon to ask. */
    boolean begin() {
        long pid = HomeLock.holder(home);
        if (pid != 0) {
            askToStop(pid);
        }
        return pid != 0;
    }

    private void kill(long pid) throws InterruptedException {
        ProcessHandle.of(pid).ifPresent(ProcessHandle::destroyForcibly);
        if (!ended(home, pid, KILL_SECONDS)) {
            throw new CliException("the daemon (pid " + pid + ") cannot be killed");
        }
    }

    private void sweepUp() throws InterruptedException {
        if (isFree()) {
            endOrphans();
        }
        if (isFree()) {
            sweep();
            docker.remove();
        }
    }

    /** False once another command has started the home anew: its guest and its sockets are not ours to end. */
    private boolean isFree() {
        return HomeLock.holder(home) == 0;
    }

    /** By the control socket; by SIGTERM where that does not work. */
    private void askToStop(long pid) {
        try (ControlClient client = ControlClient.connect(home)) {
            if (client != null) {
                client.shutdown();
                return;
            }
        } catch (StatusRuntimeException e) {
            if (ControlClient.isGone(e)) {
                return;
            }
            terminal.say("the daemon does not obey (" + e.getStatus().getCode() + "); sending SIGTERM");
        }
        ProcessHandle.of(pid).ifPresent(ProcessHandle::destroy);
    }

    /**
     * The daemon has let go of the home, and its process is gone: it has a moment's work left in between. That another
     * daemon may hold the home by then is no matter.
     */
    static boolean ended(Home home, long pid, long seconds) throws InterruptedException {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(seconds);
        while (HomeLock.holder(home) == pid || HomeProcesses.runs(pid)) {
            if (System.nanoTime() - deadline >= 0) {
                return false;
            }
            TimeUnit.MILLISECONDS.sleep(PAUSE_MILLIS);
        }
        return true;
    }

    /** A guest ends with its daemon; one that did not is killed here, a while after its daemon has gone. */
    private void endOrphans() throws InterruptedException {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(KILL_SECONDS);
        List<ProcessHandle> orphans = HomeProcesses.guests(home);
        while (!orphans.isEmpty() && System.nanoTime() - deadline < 0) {
            TimeUnit.MILLISECONDS.sleep(PAUSE_MILLIS);
            orphans = HomeProcesses.guests(home);
        }
        for (ProcessHandle orphan : orphans) {
            terminal.say("killing the guest that was left behind (pid " + orphan.pid() + ")");
            orphan.destroyForcibly();
        }
    }

    /** Sockets and the pid file of a daemon that was killed. */
    private void sweep() {
        List<Path> files = new ArrayList<>(home.sockets());
        files.add(home.pidFile());
        for (Path file : files) {
            try {
                Files.deleteIfExists(file);
            } catch (IOException e) {
                terminal.say("cannot remove " + file + ": " + e.getMessage());
            }
        }
    }
}
