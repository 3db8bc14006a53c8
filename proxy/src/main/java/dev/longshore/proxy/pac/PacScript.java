package dev.longshore.proxy.pac;

import dev.longshore.config.SettingsWatch;
import dev.longshore.proxy.route.ProxyConfig;
import io.netty.util.concurrent.DefaultThreadFactory;
import java.io.IOException;
import java.net.InetAddress;
import java.net.NetworkInterface;
import java.net.SocketException;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import java.util.function.LongSupplier;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The script at one location: fetched, kept up to date, asked, and its answers remembered. Thread-safe: all state is under the lock,
 * and nothing is waited for there.
 *
 * <p>Over HTTP it is fetched every hour, and what could be had last counts as long as there is nothing newer that can be read; until
 * there is one at all it is tried again after some seconds, then minutes. A file is watched. What it said of a scheme, host and port
 * is remembered for some minutes, which is also how long an address that it has looked up counts; not when this machine has other
 * addresses by then, since scripts ask for those and for what is reached by them.
 */
public final class PacScript implements PacFile {
    static final Duration REFETCH = Duration.ofHours(1);
    static final Duration MEMORY = Duration.ofMinutes(5);

    /** Of failures: whoever asks for the same again and again does not wait each time. */
    static final Duration FAILURE_MEMORY = Duration.ofSeconds(5);

    static final int MAX_REMEMBERED = 4096;

    /** How often this machine's addresses are looked at, while somebody asks. */
    static final Duration LOOK = Duration.ofSeconds(5);

    private static final Logger LOG = LoggerFactory.getLogger(PacScript.class);
    private static final Duration FETCH = Duration.ofSeconds(15);

    /** Most networks have no such script, and requests wait for the first answer. */
    private static final Duration FETCH_WPAD = Duration.ofSeconds(2);

    private static final long FIRST_RETRY_SECONDS = 5;
    private static final long LAST_RETRY_SECONDS = 300;

    private final ProxyConfig.Location location;
    private final Parts parts;
    private final CompletableFuture<Void> first = new CompletableFuture<>();
    private final Map<Key, Remembered> remembered = new LinkedHashMap<>(16, 0.75f, true);
    private @Nullable PacRunner runner;
    private String text = "";
    private Instant since;
    private @Nullable String problem;
    private long retrySeconds = FIRST_RETRY_SECONDS;
    private int generation; // of the runner
    private boolean closed;
    private @Nullable SettingsWatch watch;

    /** This machine's addresses when they were looked at; null before that. */
    private @Nullable Set<InetAddress> addresses;

    private long lookedAt;

    /** What a question comes to. */
    private record Key(boolean plain, String host, int port) {}

    /** An answer, or one under way. */
    private record Remembered(CompletableFuture<PacResult> result, long until) {}

    /** Gets a script. */
    interface Loader {
        String load() throws PacException;
    }

    /**
     * What it is made of.
     *
     * @param runners makes the runner of a text
     * @param threads where it is fetched, and what tells time
     * @param nanoClock compared by subtraction
     * @param addresses this machine's, asked on one of the threads
     */
    record Parts(
            Loader loader,
            Function<String, PacRunner> runners,
            ScheduledExecutorService threads,
            LongSupplier nanoClock,
            Clock clock,
            Supplier<Set<InetAddress>> addresses) {}

    PacScript(ProxyConfig.Location location, Parts parts) {
        this.location = location;
        this.parts = parts;
        this.since = parts.clock.instant();
        this.lookedAt = parts.nanoClock.getAsLong() - LOOK.toNanos();
    }

    /** One that is fetched from now on, and has threads of its own. */
    public static PacScript at(ProxyConfig.Location location) {
        ScheduledThreadPoolExecutor threads = new ScheduledThreadPoolExecutor(2, new DefaultThreadFactory("pac", true));
        threads.setRemoveOnCancelPolicy(true);
        threads.setExecuteExistingDelayedTasksAfterShutdownPolicy(false);
        PacLoader loader = new PacLoader(location.equals(ProxyConfig.Location.WPAD) ? FETCH_WPAD : FETCH);
        PacScript script = new PacScript(
                location,
                new Parts(
                        () -> loader.load(location),
                        text -> new PacProcess(text, PacProcess.Limits.DEFAULT, threads),
                        threads,
                        System::nanoTime,
                        Clock.systemUTC(),
                        PacScript::ownAddresses));
        script.start();
        return script;
    }

    /** Begins to fetch, and to watch. */
    void start() {
        execute(this::load, 0);
        Path file = PacLoader.file(location);
        if (file != null) {
            try {
                SettingsWatch made = new SettingsWatch(List.of(file), () -> execute(this::load, 0));
                synchronized (this) {
                    watch = made;
                }
            } catch (IOException e) {
                LOG.warn("{}: changes of the file are seen at the next start only: {}", location, e.getMessage());
            }
        }
    }

    private void execute(Runnable task, long seconds) {
        try {
            ScheduledFuture<?> _ = parts.threads.schedule(
                    () -> {
                        try {
                            task.run();
                        } catch (RuntimeException e) {
                            LOG.error("{}: a bug", location, e);
                        }
                    },
                    seconds,
                    TimeUnit.SECONDS);
        } catch (RejectedExecutionException e) {
            LOG.debug("{} is not used any more", location);
        }
    }

    // ---- the script

    /** On one of the threads. */
    private void load() {
        String loaded;
        try {
            loaded = parts.loader.load();
        } catch (PacException e) {
            onFailed(String.valueOf(e.getMessage()));
            return;
        } catch (RuntimeException e) { // whoever waits for the first one must not wait for ever
            LOG.error("{}: a bug", location, e);
            onFailed("it can't be had: " + e.getClass().getSimpleName());
            return;
        }
        synchronized (this) {
            if (closed) {
                return;
            }
            if (runner != null && loaded.equals(text)) {
                onGood(null, loaded);
                return;
            }
        }
        PacRunner made = parts.runners.apply(loaded);
        made.ready().whenComplete((ok, failure) -> {
            if (failure == null) {
                onGood(made, loaded);
            } else {
                made.close();
                onFailed(messageOf(failure));
            }
        });
    }

    /** @param made null if the runner is the one from before */
    private void onGood(@Nullable PacRunner made, String loaded) {
        PacRunner before = null;
        synchronized (this) {
            if (closed) {
                before = made;
            } else {
                if (made != null) {
                    before = runner;
                    runner = made;
                    generation++;
                    text = loaded;
                    remembered.clear();
                    LOG.info("{}: {} characters", location, loaded.length());
                }
                problem = null;
                since = parts.clock.instant();
                retrySeconds = FIRST_RETRY_SECONDS;
            }
        }
        if (before != null) {
            before.close();
        }
        if (isFetched()) {
            execute(this::load, REFETCH.toSeconds());
        }
        first.complete(null);
    }

    private boolean isFetched() {
        return location.url().regionMatches(true, 0, "http", 0, 4);
    }

    private void onFailed(String reason) {
        long pause;
        synchronized (this) {
            if (!reason.equals(problem)) {
                LOG.warn("{}: {}{}", location, reason, runner == null ? "" : "; the one from before counts");
            }
            problem = reason;
            pause = retrySeconds;
            retrySeconds = Math.min(LAST_RETRY_SECONDS, 2 * retrySeconds);
        }
        if (isFetched()) {
            execute(this::load, pause);
        }
        first.complete(null);
    }

    // ---- the network

    /** Of what leads elsewhere. */
    private static Set<InetAddress> ownAddresses() {
        try {
            return NetworkInterface.networkInterfaces()
                    .flatMap(NetworkInterface::inetAddresses)
                    .filter(a -> !a.isLoopbackAddress() && !a.isLinkLocalAddress())
                    .collect(Collectors.toSet());
        } catch (SocketException e) {
            return Set.of(); // none has an address
        }
    }

    /** Forgets answers of another network. On one of the threads. */
    private void lookAtNetwork() {
        Set<InetAddress> now = parts.addresses.get();
        synchronized (this) {
            if (addresses != null && !addresses.equals(now) && !remembered.isEmpty()) {
                remembered.clear();
                LOG.info("{}: this machine has other addresses now; its answers are asked for anew", location);
            }
            addresses = now;
        }
    }

    // ---- questions

    @Override
    public CompletionStage<PacResult> find(boolean plain, String host, int port) {
        if (first.isDone()) {
            return ask(new Key(plain, host, port));
        }
        return first.thenCompose(_ -> ask(new Key(plain, host, port)));
    }

    private CompletionStage<PacResult> ask(Key key) {
        PacRunner asked;
        int current;
        CompletableFuture<PacResult> result = new CompletableFuture<>();
        synchronized (this) {
            asked = runner;
            current = generation;
            if (asked == null || closed) {
                return CompletableFuture.completedStage(
                        new PacResult.Failed(closed ? "it is not used any more" : String.valueOf(problem)));
            }
            long now = parts.nanoClock.getAsLong();
            if (now - lookedAt >= LOOK.toNanos()) {
                lookedAt = now;
                execute(this::lookAtNetwork, 0);
            }
            Remembered known = remembered.get(key);
            if (known != null && known.until - now > 0) {
                return known.result;
            }
            remember(key, new Remembered(result, now + MEMORY.toNanos()));
        }
        String bracketed = key.host.indexOf(':') >= 0 ? "[" + key.host + "]" : key.host;
        String url = (key.plain ? "http://" : "https://") + bracketed + ":" + key.port;
        asked.find(url, key.host).whenComplete((said, failure) -> {
            PacResult made = failure == null
                    ? new PacResult.Said(PacReply.shown(said), PacReply.parse(said))
                    : new PacResult.Failed(messageOf(failure));
            if (made instanceof PacResult.Failed) {
                synchronized (this) {
                    if (generation == current) {
                        remember(key, new Remembered(result, parts.nanoClock.getAsLong() + FAILURE_MEMORY.toNanos()));
                    }
                }
            }
            result.complete(made);
        });
        return result;
    }

    private void remember(Key key, Remembered answer) {
        remembered.put(key, answer);
        if (remembered.size() > MAX_REMEMBERED) {
            Iterator<Key> oldest = remembered.keySet().iterator();
            oldest.next();
            oldest.remove();
        }
    }

    private static String messageOf(Throwable failure) {
        Throwable cause =
                failure instanceof CompletionException && failure.getCause() != null ? failure.getCause() : failure;
        return cause instanceof PacException e ? String.valueOf(e.getMessage()) : cause.toString();
    }

    @Override
    public synchronized String state() {
        Instant when = since.truncatedTo(ChronoUnit.SECONDS);
        String trouble = problem;
        if (runner == null) {
            return trouble == null ? "it is being fetched" : "there is none: " + trouble;
        }
        return text.length() + " characters, read at " + when + (trouble == null ? "" : "; since then: " + trouble);
    }

    @Override
    public synchronized String problem() {
        String trouble = problem;
        return trouble == null ? "" : trouble + (runner == null ? "" : "; the one from before counts");
    }

    @Override
    public void close() {
        PacRunner had;
        SettingsWatch watched;
        synchronized (this) {
            closed = true;
            had = runner;
            runner = null;
            watched = watch;
            watch = null;
        }
        parts.threads.shutdownNow();
        if (watched != null) {
            watched.close();
        }
        if (had != null) {
            had.close();
        }
        first.complete(null);
    }
}
