package dev.longshore.vm.machine;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Clears away what an earlier guest of the same home left: files, and processes that escaped their {@link Leash}, as when a
 * daemon is killed in the instant between starting the guest and the guest's asking for the death signal. They would hold
 * the data disk for ever. The caller holds the home's lock, so no such process belongs to a living daemon.
 */
final class LeftOver {
    private static final Logger LOG = LoggerFactory.getLogger(LeftOver.class);
    private static final long WAIT_SECONDS = 10;

    private LeftOver() {}

    static void end(Machine.Launch launch) throws MachineException, InterruptedException {
        List<ProcessHandle> processes = kill(launch.mark());
        for (ProcessHandle process : processes) {
            LOG.warn("killed process {}, of a guest that an earlier daemon left behind", process.pid());
            try {
                process.onExit().get(WAIT_SECONDS, TimeUnit.SECONDS);
            } catch (ExecutionException | TimeoutException e) {
                throw new MachineException(
                        "process " + process.pid() + ", of an old guest of this home, does not end", e);
            }
        }
        try {
            for (Path stale : launch.stale()) {
                Files.deleteIfExists(stale);
            }
        } catch (IOException e) {
            throw new MachineException("what an earlier guest left can't be deleted: " + e.getMessage(), e);
        }
    }

    /** Kills, without waiting, all processes whose command line has {@code mark} as a word: those it found. */
    static List<ProcessHandle> kill(String mark) {
        List<ProcessHandle> processes = ProcessHandle.allProcesses()
                .filter(process -> words(process).contains(mark))
                .toList();
        processes.forEach(ProcessHandle::destroyForcibly);
        return processes;
    }

    /** Of the command line; empty if it can't be read or the process has ended. */
    private static List<String> words(ProcessHandle process) {
        try {
            Path file = Path.of("/proc", String.valueOf(process.pid()), "cmdline");
            return List.of(Files.readString(file, StandardCharsets.ISO_8859_1).split("\0", -1));
        } catch (IOException e) {
            return List.of();
        }
    }
}
