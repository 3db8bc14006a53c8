package dev.longshore.cli;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

@Command(
        name = "logs",
        mixinStandardHelpOptions = true,
        description = "The daemon's log, or the guest's console; works without a daemon too.")
final class LogsCommand implements Callable<Integer> {
    private static final long PAUSE_MILLIS = 200;

    private final Context context;

    @Option(
            names = {"-f", "--follow"},
            description = "Go on with what is added.")
    private boolean follow;

    @Option(names = "--console", description = "The guest's console instead of the daemon's log.")
    private boolean console;

    @Option(
            names = {"-n", "--lines"},
            description = "How many lines to begin with (default: ${DEFAULT-VALUE}).")
    private int lines = 100;

    LogsCommand(Context context) {
        this.context = context;
    }

    @Override
    public Integer call() throws IOException, InterruptedException {
        Path file = console ? context.home().consoleLog() : context.home().backendLog();
        long at = Files.exists(file) ? Files.size(file) : 0;
        LogTail.lines(file, lines).forEach(context.terminal()::result);
        while (follow) {
            TimeUnit.MILLISECONDS.sleep(PAUSE_MILLIS);
            at = copyFrom(file, at);
        }
        return ExitCode.OK;
    }

    /** A file that has become shorter is a new one: the log was rolled. */
    private long copyFrom(Path file, long at) throws IOException {
        if (!Files.exists(file)) {
            return 0;
        }
        try (RandomAccessFile in = new RandomAccessFile(file.toFile(), "r")) {
            long length = in.length();
            long from = length < at ? 0 : at;
            in.seek(from);
            byte[] bytes = new byte[(int) Math.min(length - from, 1 << 20)];
            in.readFully(bytes);
            context.terminal().out().print(new String(bytes, StandardCharsets.UTF_8));
            context.terminal().out().flush();
            return from + bytes.length;
        }
    }
}
