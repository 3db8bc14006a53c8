package dev.longshore.proxy.system;

import dev.longshore.config.SettingsWatch;
import dev.longshore.proxy.route.ProxyConfig;
import io.netty.util.concurrent.DefaultThreadFactory;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The host's proxies: those of the environment if it names any; else those of the desktop that the environment names, followed while
 * they change. Thread-safe: one volatile reference, written by the constructor and then by the thread that watches.
 *
 * <p>On Linux the desktop's files are watched, and read when they change. Elsewhere the system is asked every now and then.
 */
final class HostProxies implements SystemProxies {
    private static final Logger LOG = LoggerFactory.getLogger(HostProxies.class);
    private static final Duration POLL = Duration.ofSeconds(15);

    /** Who did not answer may have been busy. */
    private static final Duration AGAIN = Duration.ofSeconds(15);

    private static final int MAX_AGAIN = 8; // then until the next change

    private static final int MAX_CHARS = 1 << 20;

    /** Desktops whose settings are GNOME's, as XDG_CURRENT_DESKTOP has them. */
    private static final Set<String> LIKE_GNOME = Set.of(
            "gnome",
            "gnome-classic",
            "gnome-flashback",
            "ubuntu",
            "unity",
            "unity7",
            "cinnamon",
            "x-cinnamon",
            "mate",
            "budgie",
            "pantheon",
            "pop",
            "xfce",
            "cosmic");

    private final Source source;
    private final @Nullable SettingsWatch watch;
    private final ScheduledExecutorService poll; // its thread is made when there is something to do
    private final AtomicInteger unanswered = new AtomicInteger(); // times in a row
    private volatile ProxyConfig current;
    private volatile Runnable listener = () -> {}; // set once, before anything can change

    /** The host as a test may have it. */
    interface Host {
        Map<String, String> environment();

        /** {@code os.name}. */
        String system();

        Path home();

        /** What a command prints, or null if it can't be run, fails or takes too long. */
        @Nullable
        String output(List<String> command);
    }

    /** Reads one configuration; null if it names no proxy. */
    private interface Reader {
        @Nullable
        ProxyConfig read() throws Unanswered;
    }

    /** A system that does not say what it is set to; which is not to say that it names no proxy. */
    private static final class Unanswered extends Exception {
        private static final long serialVersionUID = 1L;

        Unanswered(String who) {
            super(who + " did not answer", null, false, false);
        }
    }

    /**
     * Where a configuration comes from.
     *
     * @param files whose changes matter
     * @param polled what can change without a file
     */
    private record Source(String name, List<Path> files, boolean polled, Reader reader) {
        ProxyConfig now() throws Unanswered {
            ProxyConfig read = reader.read();
            return read == null ? new ProxyConfig.None(name) : read;
        }
    }

    /** Reads it, which may take a moment, and begins to follow it. */
    HostProxies(Host host) {
        source = source(host);
        poll = Executors.newSingleThreadScheduledExecutor(new DefaultThreadFactory("system-proxies", true));
        watch = source.files.isEmpty() ? null : watch(source.files);
        current = first(); // behind the beginning of the watch: nothing falls between
        if (source.polled) {
            ScheduledFuture<?> _ =
                    poll.scheduleWithFixedDelay(this::refresh, POLL.toSeconds(), POLL.toSeconds(), TimeUnit.SECONDS);
        }
    }

    private @Nullable SettingsWatch watch(List<Path> files) {
        try {
            return new SettingsWatch(files, this::refresh);
        } catch (IOException e) {
            LOG.warn("changes of {} are seen at the next start only: {}", source.name, e.getMessage());
            return null;
        }
    }

    private ProxyConfig first() {
        try {
            return source.now();
        } catch (Unanswered e) {
            askAgain();
            return new ProxyConfig.None(source.name + ": " + e.getMessage());
        }
    }

    private void refresh() {
        try {
            ProxyConfig read = source.now();
            if (!read.equals(current)) {
                current = read;
                listener.run();
            }
            unanswered.set(0);
        } catch (Unanswered e) {
            if (unanswered.get() == 0) {
                LOG.warn("{}: {}; the proxies stay what they are", source.name, e.getMessage());
            }
            askAgain();
        } catch (RuntimeException e) {
            LOG.error("{} could not be read by a bug", source.name, e);
        }
    }

    private void askAgain() {
        if (!source.polled && unanswered.incrementAndGet() <= MAX_AGAIN) {
            try {
                ScheduledFuture<?> _ = poll.schedule(this::refresh, AGAIN.toSeconds(), TimeUnit.SECONDS);
            } catch (RejectedExecutionException e) {
                LOG.debug("{} is not followed any more", source.name);
            }
        }
    }

    private static Source source(Host host) {
        Map<String, String> environment = host.environment();
        ProxyConfig named = Environment.read(environment);
        if (named != null) {
            return new Source(Environment.NAME, List.of(), false, () -> named);
        }
        String system = host.system().toLowerCase(Locale.ROOT);
        if (system.startsWith("mac")) {
            return new Source(
                    Scutil.NAME, List.of(), true, () -> read(host, List.of("scutil", "--proxy"), Scutil::read));
        }
        if (system.startsWith("windows")) {
            List<String> query =
                    List.of("reg", "query", "HKCU\\Software\\Microsoft\\Windows\\CurrentVersion\\Internet Settings");
            return new Source(Windows.NAME, List.of(), true, () -> read(host, query, Windows::read));
        }
        return desktop(host, environment);
    }

    private static Source desktop(Host host, Map<String, String> environment) {
        String configHome = environment.getOrDefault("XDG_CONFIG_HOME", "");
        Path config =
                configHome.startsWith("/") ? Path.of(configHome) : host.home().resolve(".config");
        List<String> desktops = Arrays.asList(environment
                .getOrDefault("XDG_CURRENT_DESKTOP", "")
                .toLowerCase(Locale.ROOT)
                .split(":", -1));
        if (desktops.contains("kde")) {
            Path file = config.resolve("kioslaverc");
            return new Source(Kde.NAME, List.of(file), false, () -> kde(file, environment));
        }
        if (desktops.stream().anyMatch(LIKE_GNOME::contains)) {
            return new Source(
                    Gnome.NAME,
                    List.of(config.resolve("dconf/user"), config.resolve("glib-2.0/settings/keyfile")),
                    false,
                    () -> read(host, List.of("gsettings", "list-recursively", Gnome.SCHEMA), Gnome::read));
        }
        return new Source(Environment.NAME, List.of(), false, () -> null);
    }

    private static @Nullable ProxyConfig kde(Path file, Map<String, String> environment) {
        try {
            return Files.isRegularFile(file) && Files.size(file) <= MAX_CHARS
                    ? Kde.read(Files.readString(file), environment)
                    : null;
        } catch (IOException e) {
            LOG.debug("{}: {}", file, e.toString());
            return null;
        }
    }

    /** Of a command's output. */
    private interface Parser {
        @Nullable
        ProxyConfig parse(String text);
    }

    private static @Nullable ProxyConfig read(Host host, List<String> command, Parser parser) throws Unanswered {
        String text = host.output(command);
        if (text == null) {
            throw new Unanswered(command.getFirst());
        }
        return parser.parse(text);
    }

    @Override
    public ProxyConfig current() {
        return current;
    }

    @Override
    public void onChange(Runnable newListener) {
        listener = newListener;
    }

    @Override
    public void close() {
        if (watch != null) {
            watch.close();
        }
        poll.shutdownNow();
        listener = () -> {};
    }
}
