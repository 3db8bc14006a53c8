package dev.longshore.it;

import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/** {@code ./longshore net} under way. */
final class NetProgram implements AutoCloseable {
    /** Building the product, if nobody has. */
    private static final Duration START = Duration.ofMinutes(5);

    private static final Duration END = Duration.ofSeconds(20);

    private final Running running;

    /** Returns when it says that it is ready. */
    NetProgram(String... arguments) {
        Path root = Path.of(System.getProperty("longshore.root", ".."))
                .toAbsolutePath()
                .normalize();
        List<String> line = new ArrayList<>(List.of(root.resolve("longshore").toString(), "net"));
        line.addAll(List.of(arguments));
        running = Command.of(line).start();
        Await.until(
                "ready from " + line,
                START,
                () -> running.err().contains("ready: ") || !running.isAlive(),
                running::err);
        if (!running.isAlive()) {
            throw new AssertionError("it ended: " + running.err());
        }
    }

    /** What it said on standard error. */
    String said() {
        return running.err();
    }

    /** SIGTERM; the exit status. */
    int stop() {
        running.terminate();
        return running.result(END).exit();
    }

    /** The exit status, when it ends by itself. */
    int awaitEnd() {
        return running.result(END).exit();
    }

    @Override
    public void close() {
        running.close();
    }
}
