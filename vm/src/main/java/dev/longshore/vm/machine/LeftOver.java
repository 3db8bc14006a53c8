package dev.longshore.vm.machine;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Objects;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A guest of an earlier daemon that is still there: possible only if that daemon was killed in the instant between
 * starting the guest and the guest's asking for the death signal. It would hold the data disk for ever.
 */
final class LeftOver {
    private static final Logger LOG = LoggerFactory.getLogger(LeftOver.class);
    private static final long WAIT_SECONDS = 10;

    private LeftOver() {}

    /** Kills the process of the pid file if its command line says that it is a guest of the same home. */
    static void end(Path pidFile) throws MachineException, InterruptedException {
        ProcessHandle process = read(pidFile);
        if (process == null) {
            return;
        }
        LOG.warn("killing process {}, a guest that an earlier daemon left behind", process.pid());
        process.destroyForcibly();
        try {
            process.onExit().get(WAIT_SECONDS, TimeUnit.SECONDS);
        } catch (ExecutionException | TimeoutException e) {
            throw new MachineException("process " + process.pid() + ", an old guest of this home, does not end", e);
        }
    }

    private static @Nullable ProcessHandle read(Path pidFile) {
        try {
            long pid = Long.parseLong(Files.readString(pidFile).trim());
            String commandLine = Files.readString(Path.of("/proc/" + pid + "/cmdline"), StandardCharsets.ISO_8859_1);
            boolean ours = commandLine.contains(runDirectory(pidFile).toString());
            return ours ? ProcessHandle.of(pid).orElse(null) : null;
        } catch (IOException | NumberFormatException e) {
            return null; // no such file or no such process
        }
    }

    /** uml_dir/umid/pid of User-mode Linux, or a pid file in the run directory itself. */
    private static Path runDirectory(Path pidFile) {
        return Objects.requireNonNull(pidFile.toAbsolutePath().getParent());
    }
}
