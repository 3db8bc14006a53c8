package dev.longshore.proxy.pac;

import dev.longshore.packet.wire.IpAddress;
import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.File;
import java.io.IOException;
import java.io.OutputStream;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.mozilla.javascript.Context;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Runs a script in a JVM of its own, which is started when it is needed and ends when it was not needed for a while. Thread-safe:
 * all state is under the lock, where nothing waits for a process; futures are completed outside of it.
 *
 * <p>Theory of operation. The script's own deadline is kept by the interpreter over there; a call that is not answered some time
 * after it means that the interpreter does not count there, and the process is killed. So it is when it has used up its memory:
 * that it does itself. Whoever else waited is sent to the next process, once; and a script that keeps killing its processes gets no
 * new one for a while.
 */
final class PacProcess implements PacRunner {
    /** How long things take at most. Immutable. */
    record Limits(Duration call, Duration grace, Duration start, Duration idle) {
        Limits withCall(Duration other) {
            return new Limits(other, grace, start, idle);
        }

        static final Limits DEFAULT = new Limits(
                Duration.ofSeconds(5), Duration.ofSeconds(2), Duration.ofSeconds(20), Duration.ofMinutes(10));
    }

    static final String TOO_LONG = "it did not end in time, and was killed";

    private static final Logger LOG = LoggerFactory.getLogger(PacProcess.class);
    private static final String GONE = "it used up its memory, or its process was killed";
    private static final int MAX_CALLS = 256;
    private static final int MAX_DEATHS = 3;
    private static final long DEATHS_NANOS = TimeUnit.SECONDS.toNanos(60);

    /** A script's memory, in MiB: a megabyte of source needs a fraction of it. */
    private static final int HEAP_MIB = 64;

    private final String script;
    private final Limits limits;
    private final ScheduledExecutorService threads;
    private final CompletableFuture<Void> ready = new CompletableFuture<>();
    private final Set<Call> open = new HashSet<>(); // all that are not answered
    private final Map<Integer, Call> calls = new HashMap<>(); // those among them that a process has
    private final Deque<Long> deaths = new ArrayDeque<>();
    private @Nullable Child child;
    private int lastId;
    private long lastUse;
    private boolean closed;

    /** One question. Confined to the lock, but for its answer. */
    private static final class Call {
        final String url;
        final String host;
        final CompletableFuture<String> answer = new CompletableFuture<>();
        boolean again;

        @Nullable
        Child in;

        @Nullable
        ScheduledFuture<?> killer;

        Call(String url, String host) {
            this.url = url;
            this.host = host;
        }
    }

    /** One process, and the thread that writes to it: a pipe is full when nobody reads it, and then the lock must not wait. */
    private static final class Child {
        final Process process;
        private final BlockingQueue<byte[]> toWrite = new LinkedBlockingQueue<>(); // of MAX_CALLS at most, and a script
        private final Thread writer =
                Thread.ofPlatform().daemon().name("pac-writer").unstarted(this::write);
        boolean loaded;

        Child(Process process) {
            this.process = process;
            writer.start();
        }

        void send(Message message) {
            ByteArrayOutputStream bytes = new ByteArrayOutputStream();
            try (DataOutputStream out = new DataOutputStream(bytes)) {
                message.write(out);
            } catch (IOException e) {
                throw new IllegalStateException(e); // to memory
            }
            toWrite.add(bytes.toByteArray());
        }

        private void write() {
            try (OutputStream out = process.getOutputStream()) {
                while (true) {
                    out.write(toWrite.take());
                    if (toWrite.isEmpty()) {
                        out.flush();
                    }
                }
            } catch (IOException | InterruptedException e) {
                LOG.trace("the script's process is gone: {}", e.toString()); // its reader sees that, too
            }
        }

        /** Idempotent. */
        void end() {
            process.destroyForcibly();
            writer.interrupt();
        }
    }

    /** Writes itself. */
    private interface Message {
        void write(DataOutputStream out) throws IOException;
    }

    /**
     * Begins to start a process, to see whether the script can be used.
     *
     * @param threads start processes, write to them, and keep time; blocked for as long as that takes
     */
    PacProcess(String script, Limits limits, ScheduledExecutorService threads) {
        this.script = script;
        this.limits = limits;
        this.threads = threads;
        lastUse = System.nanoTime();
        execute(this::warmUp);
    }

    @Override
    public CompletableFuture<Void> ready() {
        return ready;
    }

    @Override
    public CompletableFuture<String> find(String url, String host) {
        Call call = new Call(url, host);
        synchronized (this) {
            if (!closed && open.size() >= MAX_CALLS) {
                return CompletableFuture.failedFuture(new PacException("too many requests wait for it"));
            }
            open.add(call);
        }
        call.answer.whenComplete((_, _) -> forget(call));
        execute(() -> send(call));
        return call.answer;
    }

    private synchronized void forget(Call call) {
        open.remove(call);
    }

    /** On one of the threads; if they have ended, so have we. */
    private void execute(Runnable task) {
        try {
            threads.execute(task);
        } catch (RejectedExecutionException e) {
            close();
        }
    }

    private void warmUp() {
        try {
            Child _ = child();
        } catch (PacException e) {
            ready.completeExceptionally(e);
        }
    }

    private void send(Call call) {
        try {
            synchronized (this) {
                boolean cold = child == null || !child.loaded;
                Child to = child();
                int id = ++lastId;
                call.in = to;
                calls.put(id, call);
                lastUse = System.nanoTime();
                arm(to, id, call, cold ? limits.start : Duration.ZERO);
                to.send(out -> {
                    out.writeInt(id);
                    out.writeInt((int) limits.call.toMillis());
                    Wire.write(out, call.url);
                    Wire.write(out, call.host);
                });
            }
        } catch (PacException e) {
            call.answer.completeExceptionally(e);
        }
    }

    /** Under the lock. */
    private void arm(Child in, int id, Call call, Duration start) {
        stop(call);
        long limit = limits.call.plus(limits.grace).plus(start).toMillis();
        try {
            call.killer = threads.schedule(() -> onTooLong(id, in), limit, TimeUnit.MILLISECONDS);
        } catch (RejectedExecutionException e) {
            LOG.debug("the end has begun"); // of this, which fails all calls
        }
    }

    /** The process that runs, or a new one. */
    private synchronized Child child() throws PacException {
        if (closed) {
            throw new PacException("it is not used any more");
        }
        Child had = child;
        if (had != null) {
            return had;
        }
        long now = System.nanoTime();
        while (!deaths.isEmpty() && now - deaths.getFirst() > DEATHS_NANOS) {
            deaths.removeFirst();
        }
        if (deaths.size() >= MAX_DEATHS) {
            throw new PacException("its process ended " + MAX_DEATHS + " times within a minute");
        }
        try {
            Child made = new Child(new ProcessBuilder(command())
                    .redirectError(ProcessBuilder.Redirect.DISCARD)
                    .directory(new File("/"))
                    .start());
            child = made;
            Thread.ofPlatform().daemon().name("pac-reader").start(() -> read(made));
            made.send(out -> {
                out.writeInt((int) limits.start.toMillis());
                Wire.write(out, script);
            });
            lastUse = now;
            ScheduledFuture<?> _ = threads.schedule(
                    () -> onLoading(made), limits.start.plus(limits.grace).toMillis(), TimeUnit.MILLISECONDS);
            ScheduledFuture<?> _ = threads.schedule(this::onIdle, limits.idle.toMillis(), TimeUnit.MILLISECONDS);
            return made;
        } catch (IOException | RejectedExecutionException e) {
            throw new PacException("no process for it could be started: " + e);
        }
    }

    /** With as little as it needs: the JVM's own modules, the interpreter, and two of our jars. */
    private static List<String> command() {
        String path = String.join(
                File.pathSeparator, List.of(place(PacMain.class), place(IpAddress.class), place(Context.class)));
        return List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx" + HEAP_MIB + "m",
                "-Xms4m",
                "-Xss1m",
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                "-XX:MaxMetaspaceSize=64m",
                "-XX:ReservedCodeCacheSize=24m",
                "-XX:+ExitOnOutOfMemoryError",
                "-XX:-UsePerfData",
                "-XX:-CreateCoredumpOnCrash",
                "-Xshare:auto",
                "-Xlog:disable",
                "-cp",
                path,
                PacMain.class.getName());
    }

    private static String place(Class<?> type) {
        try {
            return Path.of(Objects.requireNonNull(type.getProtectionDomain().getCodeSource(), "code source")
                            .getLocation()
                            .toURI())
                    .toString();
        } catch (URISyntaxException e) {
            throw new IllegalStateException(e);
        }
    }

    // ---- answers

    /** The reader's thread. */
    private void read(Child from) {
        String end = GONE;
        try (DataInputStream out = new DataInputStream(new BufferedInputStream(from.process.getInputStream()))) {
            while (true) {
                int id = out.readInt();
                boolean good = out.readBoolean();
                String text = Wire.read(out);
                if (id == 0 && !good) {
                    end = text;
                    break;
                }
                onAnswer(from, id, good, text);
            }
        } catch (IOException e) {
            LOG.trace("the script's process has ended: {}", e.toString());
        }
        from.end();
        onEnd(from, end);
    }

    private void onAnswer(Child from, int id, boolean good, String text) {
        Call call;
        synchronized (this) {
            if (id == 0) {
                from.loaded = true;
                calls.forEach((waiting, c) -> arm(from, waiting, c, Duration.ZERO)); // they begin now
                call = null;
            } else {
                call = calls.remove(id);
                lastUse = System.nanoTime();
            }
        }
        if (id == 0) {
            ready.complete(null);
        } else if (call != null) {
            stop(call);
            if (good && text.length() <= PacEngine.MAX_REPLY) {
                call.answer.complete(text);
            } else {
                call.answer.completeExceptionally(new PacException(text));
            }
        }
    }

    private void onEnd(Child ended, String reason) {
        List<Call> left;
        boolean badScript = !reason.equals(GONE);
        boolean wasClosed;
        synchronized (this) {
            if (child == ended) {
                child = null;
            }
            left = calls.values().stream().filter(c -> ended.equals(c.in)).toList();
            calls.values().removeAll(left);
            wasClosed = closed;
            if (!left.isEmpty() || !ended.loaded) {
                deaths.addLast(System.nanoTime());
            }
        }
        PacException why = new PacException(wasClosed ? "it is not used any more" : reason);
        ready.completeExceptionally(why);
        for (Call call : left) {
            stop(call);
            if (call.again || badScript || wasClosed) {
                call.answer.completeExceptionally(why);
            } else {
                call.again = true;
                execute(() -> send(call));
            }
        }
    }

    private static void stop(Call call) {
        ScheduledFuture<?> killer = call.killer;
        if (killer != null) {
            killer.cancel(false);
        }
    }

    // ---- time

    private void onTooLong(int id, Child in) {
        Call call;
        synchronized (this) {
            call = calls.remove(id);
            if (call != null) {
                deaths.addLast(System.nanoTime());
            }
        }
        if (call != null) {
            LOG.warn("the proxy script did not end within {} for {}: killed", limits.call, call.url);
            in.end();
            call.answer.completeExceptionally(new PacException(TOO_LONG));
        }
    }

    private void onLoading(Child starting) {
        boolean late;
        synchronized (this) {
            late = child == starting && !starting.loaded;
        }
        if (late) {
            ready.completeExceptionally(new PacException(TOO_LONG));
            starting.end();
        }
    }

    private synchronized void onIdle() {
        Child had = child;
        if (had == null || closed) {
            return;
        }
        long left = limits.idle.toNanos() - (System.nanoTime() - lastUse);
        if (calls.isEmpty() && left <= 0) {
            child = null; // its reader finds nothing to send elsewhere
            had.end();
        } else {
            ScheduledFuture<?> _ =
                    threads.schedule(this::onIdle, Math.max(left, TimeUnit.SECONDS.toNanos(1)), TimeUnit.NANOSECONDS);
        }
    }

    @Override
    public void close() {
        Child had;
        List<Call> left;
        synchronized (this) {
            closed = true;
            had = child;
            child = null;
            left = List.copyOf(open);
            calls.clear();
        }
        if (had != null) {
            had.end();
        }
        PacException why = new PacException("it is not used any more");
        for (Call call : left) { // those, too, whose turn to be sent never comes
            stop(call);
            call.answer.completeExceptionally(why);
        }
        ready.completeExceptionally(why);
    }
}
