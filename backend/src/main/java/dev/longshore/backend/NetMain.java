package dev.longshore.backend;

import dev.longshore.config.AddressPlan;
import dev.longshore.config.EffectiveSettings;
import dev.longshore.config.Settings;
import dev.longshore.config.SettingsFiles;
import dev.longshore.config.SettingsResult;
import io.netty.util.internal.logging.InternalLoggerFactory;
import io.netty.util.internal.logging.Slf4JLoggerFactory;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * {@code longshore net}: only the network, in the foreground, for a guest of the user's own.
 *
 * <p>Exit status: 0 after SIGTERM or SIGINT; 1 if the link could not be opened, or its device went away; 2 for wrong
 * arguments.
 */
public final class NetMain {
    private static final int EXIT_FAILED = 1;
    private static final int EXIT_USAGE = 2;
    private static final long STOP_SECONDS = 10;

    private NetMain() {}

    /** Runs until a signal, or until the link's device is gone. */
    public static void main(String[] arguments) throws InterruptedException {
        InternalLoggerFactory.setDefaultFactory(Slf4JLoggerFactory.INSTANCE);
        Logs.configureConsole();
        switch (SettingsFiles.readAdmin(SettingsFiles.ADMIN_FILE)) {
            case SettingsResult.Usable u -> {
                u.warnings().forEach(w -> System.err.println("longshore net: " + w));
                main(List.of(arguments), u.effective());
            }
            case SettingsResult.Refused r -> {
                r.problems().forEach(p -> System.err.println("longshore net: " + p));
                System.exit(EXIT_FAILED);
            }
        }
    }

    private static void main(List<String> arguments, EffectiveSettings admin) throws InterruptedException {
        switch (NetOptions.parse(arguments, admin)) {
            case NetOptions.Help help -> System.out.print(help.text());
            case NetOptions.Wrong wrong -> {
                System.err.println("longshore net: " + wrong.text());
                System.exit(EXIT_USAGE);
            }
            case NetOptions.Usable usable -> System.exit(run(usable));
        }
    }

    private static int run(NetOptions.Usable options) throws InterruptedException {
        CountDownLatch ended = new CountDownLatch(1);
        NetRun run = new NetRun(options, ended::countDown);
        CountDownLatch closed = new CountDownLatch(1);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> onSignal(ended, closed), "signal"));
        try {
            run.start();
            System.err.println(ready(options, run.settings()));
            ended.await();
            return run.isLinkGone() ? EXIT_FAILED : 0;
        } catch (PartException e) {
            System.err.println("longshore net: " + e.getMessage());
            return EXIT_FAILED;
        } finally {
            ended.countDown(); // a failure: its status counts, not the signal's
            run.close();
            closed.countDown();
        }
    }

    private static String ready(NetOptions.Usable options, Settings settings) {
        AddressPlan plan = settings.network().plan();
        return "ready: " + options.link() + ", network " + settings.network().subnet() + ", MTU "
                + settings.network().mtu() + ", guest " + plan.guest().getHostAddress() + ", gateway "
                + plan.gateway().getHostAddress() + ", DNS " + plan.dns().getHostAddress() + ", host "
                + plan.host().getHostAddress();
    }

    /** SIGTERM, SIGINT and the end of main: the process ends when this returns. */
    private static void onSignal(CountDownLatch ended, CountDownLatch closed) {
        boolean asked = ended.getCount() > 0;
        ended.countDown();
        try {
            if (closed.await(STOP_SECONDS, TimeUnit.SECONDS) && asked) {
                Runtime.getRuntime().halt(0); // the JVM's own status would be that of a death by the signal
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
