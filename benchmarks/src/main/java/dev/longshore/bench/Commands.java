package dev.longshore.bench;

import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/** Programs of the machine. Thread-safe: has no state. */
final class Commands {
    private Commands() {}

    /** Standard output of a command that ends well. Its standard error is shown only if it doesn't. */
    static String run(int seconds, List<String> command) {
        try {
            Path out = Files.createTempFile("longshore-bench", ".out");
            Path err = Files.createTempFile("longshore-bench", ".err");
            try {
                Process p = new ProcessBuilder(command)
                        .redirectInput(new File("/dev/null"))
                        .redirectOutput(out.toFile())
                        .redirectError(err.toFile())
                        .start();
                if (!p.waitFor(seconds, TimeUnit.SECONDS)) {
                    end(p);
                    throw new BenchException(String.join(" ", command) + ": no end within " + seconds + " s");
                }
                String text = Files.readString(out);
                if (p.exitValue() != 0) {
                    throw new BenchException(String.join(" ", command) + ": exit status " + p.exitValue() + "\n" + text
                            + Files.readString(err));
                }
                return text;
            } finally {
                Files.deleteIfExists(out);
                Files.deleteIfExists(err);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new BenchException("interrupted");
        }
    }

    static String run(int seconds, String... command) {
        return run(seconds, List.of(command));
    }

    /** Starts a command that stays, both outputs into {@code log}. */
    static Process start(Path log, List<String> command) {
        try {
            return new ProcessBuilder(command)
                    .redirectErrorStream(true)
                    .redirectOutput(ProcessBuilder.Redirect.appendTo(log.toFile()))
                    .start();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Asks, waits, kills: the process and what it started. */
    static void end(Process p) {
        List<ProcessHandle> all =
                Stream.concat(Stream.of(p.toHandle()), p.descendants()).toList();
        all.forEach(ProcessHandle::destroy);
        try {
            if (!p.waitFor(5, TimeUnit.SECONDS)) {
                all.forEach(ProcessHandle::destroyForcibly);
                p.waitFor(5, TimeUnit.SECONDS);
            }
        } catch (InterruptedException e) {
            all.forEach(ProcessHandle::destroyForcibly);
            Thread.currentThread().interrupt();
        }
    }

    static Optional<Path> find(String program) {
        String path = Optional.ofNullable(System.getenv("PATH")).orElse("") + ":/usr/sbin:/sbin";
        return Stream.of(path.split(":", -1))
                .map(dir -> Path.of(dir.isEmpty() ? "." : dir, program))
                .filter(Files::isExecutable)
                .findFirst();
    }

    /** Compiles one of this module's C programs, statically, into {@code dir}. */
    static Path compile(String name, Path dir) {
        Path source = dir.resolve(name + ".c");
        Path program = dir.resolve(name);
        try (var in = Commands.class.getResourceAsStream(name + ".c")) {
            if (in == null) {
                throw new IllegalStateException("no resource " + name + ".c");
            }
            Files.write(source, in.readAllBytes());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        run(60, "gcc", "-O2", "-static", "-o", program.toString(), source.toString());
        return program;
    }

    static String read(Path file) {
        try {
            return Files.readString(file, StandardCharsets.UTF_8);
        } catch (IOException e) {
            return "";
        }
    }
}
