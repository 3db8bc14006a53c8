package dev.longshore.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** A program to run, with its environment. Immutable. */
record Command(
        List<String> line,
        Map<String, String> environment,
        @Nullable Path input,
        Duration limit,
        Supplier<String> onHang) {
    private static final Duration LIMIT = Duration.ofSeconds(60);

    /** How it ended. */
    record Result(List<String> line, int exit, String out, String err) {
        Result expectExit(int expected) {
            assertThat(exit).as("%s\nstdout: %s\nstderr: %s", line, out, err).isEqualTo(expected);
            return this;
        }

        Result expectOk() {
            return expectExit(0);
        }

        /** Standard output without the last line end. */
        String text() {
            return out.stripTrailing();
        }
    }

    static Command of(String... line) {
        return new Command(Arrays.asList(line), Map.of(), null, LIMIT, String::new);
    }

    static Command of(List<String> line) {
        return new Command(line, Map.of(), null, LIMIT, String::new);
    }

    Command with(String name, String value) {
        Map<String, String> more = new HashMap<>(environment);
        more.put(name, value);
        return new Command(line, Map.copyOf(more), input, limit, onHang);
    }

    Command with(Map<String, String> variables) {
        Map<String, String> more = new HashMap<>(environment);
        more.putAll(variables);
        return new Command(line, Map.copyOf(more), input, limit, onHang);
    }

    /** Standard input from a file. */
    Command from(Path file) {
        return new Command(line, environment, file, limit, onHang);
    }

    Command within(Duration other) {
        return new Command(line, environment, input, other, onHang);
    }

    /** If it does not end in time, this says what was the matter. */
    Command explaining(Supplier<String> hang) {
        return new Command(line, environment, input, limit, hang);
    }

    /** Starts it; the caller closes it. */
    Running start() {
        ProcessBuilder builder = new ProcessBuilder(line);
        builder.environment().putAll(environment);
        if (input != null) {
            builder.redirectInput(input.toFile());
        }
        try {
            return new Running(line, builder.start(), onHang);
        } catch (IOException e) {
            throw new AssertionError("cannot run " + line, e);
        }
    }

    /** Runs it to its end with empty input. */
    Result run() {
        try (Running running = start()) {
            running.endInput();
            return running.result(limit);
        }
    }

    /** Its standard output, or why there is none; for reports, which must not fail themselves. */
    String tryRun() {
        try {
            return run().out();
        } catch (AssertionError e) {
            return String.valueOf(e.getMessage());
        }
    }

    /** Runs it and hands its standard output to {@code reader} as it comes. */
    <T> T read(Reader<T> reader) throws IOException {
        ProcessBuilder builder = new ProcessBuilder(line).redirectError(ProcessBuilder.Redirect.INHERIT);
        builder.environment().putAll(environment);
        Process process = builder.start();
        try (InputStream out = process.getInputStream()) {
            process.getOutputStream().close();
            return reader.read(out);
        } finally {
            process.destroyForcibly();
        }
    }

    /** Something that consumes a stream. */
    interface Reader<T> {
        T read(InputStream in) throws IOException;
    }

    static String utf8(byte[] bytes) {
        return new String(bytes, StandardCharsets.UTF_8);
    }
}
