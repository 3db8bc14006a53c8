package dev.longshore.vm.image;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Programs of the host: finding them, and running them to their end. Immutable. */
public final class HostTools {
    private static final Logger LOG = LoggerFactory.getLogger(HostTools.class);
    private static final long CLEAN_UP_SECONDS = 30;

    private final List<Path> directories;

    /** @param directories searched in this order */
    public HostTools(List<Path> directories) {
        this.directories = List.copyOf(directories);
    }

    /** {@code $PATH} and the directories of administration programs, which ordinary users do not have in it. */
    public static HostTools of(Map<String, String> environment) {
        String path = environment.getOrDefault("PATH", "/usr/bin:/bin");
        return new HostTools(
                Stream.concat(Stream.of(path.split(":", -1)), Stream.of("/usr/local/sbin", "/usr/sbin", "/sbin"))
                        .filter(directory -> directory.startsWith("/"))
                        .map(Path::of)
                        .distinct()
                        .toList());
    }

    /** Null if it is not there. */
    public @Nullable Path find(String program) {
        for (Path directory : directories) {
            Path candidate = directory.resolve(program);
            if (Files.isRegularFile(candidate) && Files.isExecutable(candidate)) {
                return candidate;
            }
        }
        return null;
    }

    /** True if this process is root's. */
    public boolean isRoot() {
        return "root".equals(System.getProperty("user.name"));
    }

    /** The command to tell the user to run; both names are of Debian packages. */
    public static String installCommand(Iterable<String> packages) {
        return "sudo apt-get install " + String.join(" ", packages);
    }

    /**
     * Runs a command to its end and hands every line of its output to {@code lines}, on another thread, the last one before
     * this returns. Blocks; an interrupt ends the command.
     *
     * @param command the first word is looked up as {@link #find} does
     * @return the exit code
     */
    public int run(List<String> command, Map<String, String> environment, Consumer<String> lines)
            throws IOException, InterruptedException {
        List<String> words = new ArrayList<>(command);
        Path program = find(words.getFirst());
        if (program != null) {
            words.set(0, program.toString());
        }
        ProcessBuilder builder = new ProcessBuilder(words).redirectErrorStream(true);
        builder.environment().putAll(environment);
        builder.environment()
                .put(
                        "PATH",
                        String.join(
                                ":", directories.stream().map(Path::toString).toList()));
        builder.environment().put("LC_ALL", "C.UTF-8");
        Process process = builder.start();
        // Waiting for a process can be interrupted, reading its output can't: so another thread reads.
        Thread reader = Thread.ofPlatform()
                .name("output of " + words.getFirst())
                .daemon(true)
                .start(() -> read(process, lines));
        try {
            process.getOutputStream().close();
            int code = process.waitFor();
            reader.join();
            return code;
        } finally {
            end(process);
        }
    }

    private static void read(Process process, Consumer<String> lines) {
        try (BufferedReader output = process.inputReader(StandardCharsets.UTF_8)) {
            for (String line = output.readLine(); line != null; line = output.readLine()) {
                lines.accept(line);
            }
        } catch (IOException e) {
            LOG.debug("output of process {}: {}", process.pid(), e.toString()); // closed by the end of the process
        }
    }

    /** Nothing to do unless we were interrupted: then it gets time to clean up behind itself. */
    private static void end(Process process) {
        if (process.isAlive()) {
            List<ProcessHandle> descendants = process.descendants().toList();
            descendants.forEach(ProcessHandle::destroy);
            process.destroy();
            try {
                process.onExit().orTimeout(CLEAN_UP_SECONDS, TimeUnit.SECONDS).join();
            } catch (CompletionException e) {
                LOG.warn("process {} does not end, so it is killed", process.pid());
                descendants.forEach(ProcessHandle::destroyForcibly);
                process.destroyForcibly();
            }
        }
    }

    /** As {@link #run}, into a log. */
    int runLogged(List<String> command, Map<String, String> environment, Writer log, Consumer<String> lines)
            throws IOException, InterruptedException {
        log.write("$ " + String.join(" ", command) + "\n");
        List<IOException> failed = new ArrayList<>();
        int code = run(command, environment, line -> {
            try {
                log.write(line + "\n");
                log.flush();
            } catch (IOException e) {
                failed.add(e);
            }
            lines.accept(line);
        });
        if (!failed.isEmpty()) {
            throw failed.getFirst();
        }
        return code;
    }
}
