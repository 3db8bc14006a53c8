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
        this(line(arguments));
    }

    private NetProgram(Command command) {
        running = started(command);
    }

    /** Builds the product if nobody has, outside of any namespace. */
    static void prepare() {
        Command.of(launcher(), "net", "--help").within(Duration.ofMinutes(10)).run();
    }

    /** A command that becomes the program, once it is ready; the caller closes it. */
    static Running started(Command command) {
        Running running = command.start();
        Await.until(
                "ready from " + command.line(),
                START,
                () -> running.err().contains("ready: ") || !running.isAlive(),
                running::err);
        if (!running.isAlive()) {
            throw new AssertionError("it ended: " + running.err());
        }
        return running;
    }

    /** Started by another command, which becomes the program. */
    static NetProgram of(Command command) {
        return new NetProgram(command);
    }

    private static Command line(String... arguments) {
        List<String> line = new ArrayList<>(List.of(launcher(), "net"));
        line.addAll(List.of(arguments));
        return Command.of(line);
    }

    /** The path of {@code ./longshore}. */
    static String launcher() {
        return Path.of(System.getProperty("longshore.root", ".."))
                .toAbsolutePath()
                .normalize()
                .resolve("longshore")
                .toString();
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
