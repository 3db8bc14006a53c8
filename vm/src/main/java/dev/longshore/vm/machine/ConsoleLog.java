package dev.longshore.vm.machine;

import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.time.Clock;
import java.time.temporal.ChronoUnit;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The guest's console, line by line into a file of bounded size; when it is full it becomes {@code NAME.1}, and the one
 * before is dropped. The text is the guest's: control characters are replaced and lines cut.
 *
 * <p>Confined to the thread that reads the console, but for {@link #lastLines} and {@link #fatal}: any thread.
 */
final class ConsoleLog implements AutoCloseable {
    /** Before what the image's scripts found to be wrong. */
    private static final String FATAL = "longshore: fatal: ";

    private static final int MAX_LINE = 2_000;
    private static final int KEPT_LINES = 20;

    private final Path file;
    private final long limitBytes;
    private final Clock clock;
    private final Deque<String> last = new ArrayDeque<>();
    private @Nullable String fatal;
    private OutputStream out;
    private long written;

    /** @param limitBytes of one file; there are two at most */
    ConsoleLog(Path file, long limitBytes, Clock clock) throws IOException {
        this.file = file;
        this.limitBytes = limitBytes;
        this.clock = clock;
        this.out = open();
        this.written = Files.size(file);
    }

    /** Copies until the end of the stream. A full disk loses lines, not the guest: its console is always read. */
    void copy(InputStream console) throws IOException {
        InputStream in = new BufferedInputStream(console);
        StringBuilder line = new StringBuilder();
        for (int c = in.read(); c >= 0; c = in.read()) {
            if (c == '\n') {
                line(line.toString());
                line.setLength(0);
            } else if (c != '\r' && line.length() < MAX_LINE) {
                line.append(c == '\t' || (c >= ' ' && c <= '~') ? (char) c : '?');
            }
        }
        if (!line.isEmpty()) {
            line(line.toString());
        }
    }

    synchronized List<String> lastLines() {
        return List.copyOf(last);
    }

    synchronized @Nullable String fatal() {
        return fatal;
    }

    private void line(String line) {
        remember(line);
        byte[] bytes = (clock.instant().truncatedTo(ChronoUnit.MILLIS) + " " + line + "\n")
                .getBytes(StandardCharsets.US_ASCII);
        try {
            if (written + bytes.length > limitBytes) {
                rotate();
            }
            out.write(bytes);
            written += bytes.length;
        } catch (IOException e) {
            written = limitBytes; // try a new file at the next line
        }
    }

    private synchronized void remember(String line) {
        last.addLast(line);
        if (last.size() > KEPT_LINES) {
            last.removeFirst();
        }
        if (fatal == null && line.startsWith(FATAL)) {
            fatal = line.substring(FATAL.length());
        }
    }

    private void rotate() throws IOException {
        out.close();
        Files.move(file, file.resolveSibling(file.getFileName() + ".1"), StandardCopyOption.REPLACE_EXISTING);
        out = open();
        written = 0;
    }

    private OutputStream open() throws IOException {
        return Files.newOutputStream(file, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
    }

    @Override
    public void close() throws IOException {
        out.close();
    }
}
