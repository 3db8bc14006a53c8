package dev.longshore.backend;

import dev.longshore.config.AddressPlan;
import dev.longshore.config.SettingsFiles;
import dev.longshore.config.SettingsResult;
import io.netty.util.internal.logging.InternalLoggerFactory;
import io.netty.util.internal.logging.Slf4JLoggerFactory;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CountDownLatch;

/**
 * What a guest does first, done once when the product is built: {@code longshore net} on a socket, its guest a few lines of this
 * process. The JVM records which classes that takes and which methods are busy (JEP 483, 515), and later starts have them at once.
 * Nothing leaves the process but loopback connections to itself.
 *
 * <p>Arguments: a directory for sockets. Exit status 0, or 1 with a stack trace: then there is no record, and starts are slower.
 */
public final class Rehearsal {
    /** For loaded machines: an ordinary run takes two seconds. */
    private static final long LIMIT_MILLIS = 60_000;

    private static final int CONNECTIONS = 30;
    private static final int ANSWER_BYTES = 256 << 10;

    /** What other links need, which no guest is here for. */
    private static final List<String> MORE = List.of(
            "dev.longshore.link.tap.TapLink",
            "dev.longshore.link.datagram.DatagramLink",
            "dev.longshore.linux.InterfaceSetup",
            "dev.longshore.linux.NetworkNamespace",
            "dev.longshore.linux.Tap",
            "dev.longshore.virtio.net.NetDevice",
            "dev.longshore.virtio.vhostuser.VhostUserBackend");

    private Rehearsal() {}

    /** Ends the process. */
    public static void main(String[] arguments) throws Exception {
        Thread.ofPlatform().daemon().name("limit").start(Rehearsal::endInAnyCase);
        InternalLoggerFactory.setDefaultFactory(Slf4JLoggerFactory.INSTANCE);
        Logs.configureConsole();
        run(Path.of(arguments[0]));
        System.exit(0);
    }

    /** All of it, in this process. */
    static void run(Path dir) throws Exception {
        for (String name : MORE) {
            Class.forName(name, false, Rehearsal.class.getClassLoader());
        }
        String socket = dir.resolve("guest.sock").toString();
        String control = dir.resolve("control.sock").toString();
        if (!(SettingsFiles.readAdmin(dir.resolve("none")) instanceof SettingsResult.Usable admin)
                || !(NetOptions.parse(List.of("--qemu", socket, "--control", control), admin.effective())
                        instanceof NetOptions.Usable options)) {
            throw new IllegalStateException("the options of longshore net have changed");
        }
        CountDownLatch ended = new CountDownLatch(1);
        NetRun run = new NetRun(options, ended::countDown);
        try (ServerSocket server = new ServerSocket(0, 50, InetAddress.getLoopbackAddress())) {
            Thread.ofPlatform().daemon().name("server").start(() -> serve(server));
            run.start();
            AddressPlan plan = run.settings().network().plan();
            try (RehearsalGuest guest = new RehearsalGuest(Path.of(socket), plan)) {
                guest.resolvesTheGateway();
                guest.leasesAnAddress();
                guest.asksForAName("host.docker.internal");
                for (int i = 0; i < CONNECTIONS; i++) {
                    guest.talksTo(server.getLocalPort(), 40_000 + i);
                }
            }
        } finally {
            run.close();
        }
    }

    private static void endInAnyCase() {
        try {
            Thread.sleep(LIMIT_MILLIS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        System.err.println("the rehearsal took too long");
        Runtime.getRuntime().halt(1);
    }

    /** One answer to a question of one byte. */
    private static void serve(ServerSocket server) {
        byte[] answer = new byte[ANSWER_BYTES];
        try {
            while (true) {
                try (Socket s = server.accept();
                        InputStream in = s.getInputStream();
                        OutputStream out = s.getOutputStream()) {
                    if (in.read() >= 0) {
                        out.write(answer);
                    }
                }
            }
        } catch (IOException e) {
            // closed
        }
    }
}
