package dev.longshore.backend;

import dev.longshore.config.Home;
import dev.longshore.config.HomeLock;
import dev.longshore.config.SettingsFiles;
import dev.longshore.config.SettingsStore;
import dev.longshore.config.Version;
import dev.longshore.control.ControlServer;
import dev.longshore.control.Events;
import dev.longshore.control.Outcome;
import dev.longshore.control.Status;
import io.netty.util.internal.logging.InternalLoggerFactory;
import io.netty.util.internal.logging.Slf4JLoggerFactory;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The daemon: {@code longshore-backend [--foreground]}.
 *
 * <p>Exit status: 0 after a shutdown that was asked for; 1 if the guest could not be started, or something failed; 2 for
 * a wrong argument; 75 if another daemon holds the home.
 */
public final class Main {
    /** EX_TEMPFAIL of sysexits.h. */
    public static final int EXIT_HOME_TAKEN = 75;

    private static final int EXIT_FAILED = 1;
    private static final int EXIT_USAGE = 2;
    private static final int LOCK_ATTEMPTS = 20;
    private static final long LOCK_PAUSE_MILLIS = 50;
    private static final long STOP_SECONDS = 60;

    private Main() {}

    /** Runs until the shutdown, then ends the process. */
    public static void main(String[] arguments) {
        List<String> words = List.of(arguments);
        boolean foreground = words.equals(List.of("--foreground"));
        if (!words.isEmpty() && !foreground) {
            System.err.println("usage: longshore-backend [--foreground]");
            System.exit(EXIT_USAGE);
        }
        Home home = Home.locate(System.getenv(), Path.of(System.getProperty("user.home", "/")));
        System.exit(inHome(home, foreground));
    }

    /** What goes wrong before there is a log goes to standard error, which the caller of a detached daemon keeps. */
    private static int inHome(Home home, boolean foreground) {
        String problem = home.problem();
        if (problem != null) {
            System.err.println("longshore: " + problem);
            return EXIT_FAILED;
        }
        try {
            home.create();
            HomeLock lock = takeLock(home);
            if (lock == null) {
                System.err.println(
                        "longshore: another daemon runs in " + home.state() + " (pid " + HomeLock.holder(home) + ")");
                return EXIT_HOME_TAKEN;
            }
            try (lock) {
                Logs.configure(home, foreground);
                return locked(home, foreground);
            }
        } catch (IOException e) {
            System.err.println("longshore: the directories of " + home.state() + " cannot be used: " + e);
            return EXIT_FAILED;
        } catch (InterruptedException e) {
            return EXIT_FAILED;
        }
    }

    /** Tries for a second, since who only asks for the holder takes the lock for a moment. */
    private static @Nullable HomeLock takeLock(Home home) throws IOException, InterruptedException {
        for (int i = 0; i < LOCK_ATTEMPTS; i++) {
            HomeLock lock = HomeLock.take(home);
            if (lock != null) {
                return lock;
            }
            TimeUnit.MILLISECONDS.sleep(LOCK_PAUSE_MILLIS);
        }
        return null;
    }

    private static int locked(Home home, boolean foreground) throws IOException, InterruptedException {
        InternalLoggerFactory.setDefaultFactory(Slf4JLoggerFactory.INSTANCE);
        Logger log = LoggerFactory.getLogger(Main.class);
        log.info(
                "longshore {} on Java {}, pid {}, home {}",
                Version.current(),
                Runtime.version(),
                ProcessHandle.current().pid(),
                home.state());
        Leftovers.remove(home);
        Files.writeString(home.pidFile(), ProcessHandle.current().pid() + "\n");

        EventLog events = new EventLog(Clock.systemUTC());
        Meters meters = new Meters();
        LiveSettings settings = new LiveSettings(new SettingsStore(SettingsFiles.of(home)), events::add);
        settings.follow();
        Conductor conductor = new Conductor(
                home, events, new GuestParts(home, settings, events::add, meters), meters::scrape, settings::status);
        CountDownLatch closed = new CountDownLatch(1);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> onSignal(conductor, closed), "signal"));
        if (foreground) {
            ForegroundProgress.follow(events);
        }
        int exit;
        try (ControlServer control = ControlServer.start(
                        home.controlSocket(),
                        conductor,
                        conductor.ports(),
                        events,
                        conductor.flows(),
                        conductor.captures(),
                        settings,
                        conductor.policy(),
                        conductor.dns(),
                        conductor.proxies(),
                        conductor.files());
                RemoteControl remote = new RemoteControl(control, events::add)) {
            Events.Subscription remotely = settings.obey(remote::follow);
            control.serving(false);
            Events.Subscription health =
                    events.onNew(() -> control.serving(conductor.status().state() == Status.State.RUNNING));
            exit = serve(conductor, log);
            health.close();
            remotely.close();
            events.end();
        } finally {
            settings.close();
            Leftovers.remove(home);
            log.info("ended");
            closed.countDown();
        }
        return exit;
    }

    private static int serve(Conductor conductor, Logger log) throws InterruptedException {
        try {
            Outcome<String> outcome =
                    conductor.startGuest().toCompletableFuture().get();
            if (outcome instanceof Outcome.Failed<String> f && f.reason() != Outcome.Reason.CANCELLED) {
                System.err.println(f.text()); // for an "up" that came too late for the event
                conductor.shutdown();
                conductor.awaitEnd();
                return EXIT_FAILED;
            }
        } catch (ExecutionException e) {
            log.error("the start failed by a bug", e);
            return EXIT_FAILED;
        }
        conductor.awaitEnd();
        return 0;
    }

    /** SIGTERM, SIGINT and the end of main: the process ends when this returns. */
    private static void onSignal(Conductor conductor, CountDownLatch closed) {
        conductor.shutdown();
        try {
            if (!closed.await(STOP_SECONDS, TimeUnit.SECONDS)) {
                System.err.println("longshore: the stop took more than " + STOP_SECONDS + " s; ending anyway");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
