package dev.longshore.it;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;

/** A process under way, its output collected as it comes. Closing it kills it. Thread-safe: the output by locks. */
final class Running implements AutoCloseable {
    private final List<String> line;
    private final Process process;
    private final Supplier<String> onHang;
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final ByteArrayOutputStream err = new ByteArrayOutputStream();
    private final Thread outReader;
    private final Thread errReader;

    /** @param onHang asked when it does not end in time */
    Running(List<String> line, Process process, Supplier<String> onHang) {
        this.line = line;
        this.process = process;
        this.onHang = onHang;
        outReader = collect(process.getInputStream(), out);
        errReader = collect(process.getErrorStream(), err);
    }

    /**
     * By threads of the kernel: a read of a pipe keeps a virtual one's carrier, and after a minute of quiet those of two processors
     * were all taken, so that nobody read what the next program said.
     */
    private static Thread collect(InputStream from, ByteArrayOutputStream into) {
        return Thread.ofPlatform().daemon().start(() -> {
            byte[] buffer = new byte[64 * 1024];
            try (from) {
                for (int n = from.read(buffer); n >= 0; n = from.read(buffer)) {
                    into.write(buffer, 0, n);
                }
            } catch (IOException e) {
                // the process is gone; what it said until then counts
            }
        });
    }

    long pid() {
        return process.pid();
    }

    /** What it printed so far. */
    String out() {
        return out.toString(StandardCharsets.UTF_8);
    }

    String err() {
        return err.toString(StandardCharsets.UTF_8);
    }

    boolean isAlive() {
        return process.isAlive();
    }

    /** Writes a line to its standard input. */
    void type(String text) {
        try {
            OutputStream in = process.getOutputStream();
            in.write((text + "\n").getBytes(StandardCharsets.UTF_8));
            in.flush();
        } catch (IOException e) {
            throw new AssertionError("input of " + line + " is closed\n" + said(), e);
        }
    }

    void endInput() {
        try {
            process.getOutputStream().close();
        } catch (IOException e) {
            // it has not waited for it
        }
    }

    /** Waits until standard output holds {@code text}. */
    Running awaitOut(String text, Duration limit) {
        Await.until("'" + text + "' from " + line, limit, () -> out().contains(text), this::said);
        return this;
    }

    Command.Result result(Duration limit) {
        try {
            if (!process.waitFor(limit.toMillis(), TimeUnit.MILLISECONDS)) {
                throw new AssertionError(
                        "still running after " + limit + ": " + line + "\n" + said() + "\n" + onHang.get());
            }
            outReader.join(Duration.ofSeconds(10));
            errReader.join(Duration.ofSeconds(10));
            return new Command.Result(line, process.exitValue(), out(), err());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new AssertionError("interrupted while waiting for " + line + "\n" + said(), e);
        }
    }

    private String said() {
        return "stdout: " + out() + "\nstderr: " + err();
    }

    /** SIGTERM. */
    void terminate() {
        process.destroy();
    }

    /** Returns when it is gone, and with it what it listened on. */
    @Override
    public void close() {
        process.descendants().forEach(ProcessHandle::destroyForcibly);
        process.destroyForcibly();
        try {
            process.waitFor(10, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
