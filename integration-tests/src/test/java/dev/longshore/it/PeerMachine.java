package dev.longshore.it;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * Other people's programs at work: a {@link PeerRoot} below a layer in memory that takes what they write, in namespaces of its own
 * for mounts and processes. What was started in it, daemons included, ends with it, and what was written goes. Needs root.
 */
final class PeerMachine implements AutoCloseable {
    private static final Duration START = Duration.ofSeconds(30);
    private static final Duration LISTENS = Duration.ofSeconds(30);

    /** $1 is the root; the first process of the machine stays, so that its namespaces do. */
    private static final String INIT = """
            set -e
            mount --make-rprivate /
            mount -t tmpfs -o mode=755 layer /mnt
            mkdir /mnt/upper /mnt/work /mnt/root
            mount -t overlay -o lowerdir="$1",upperdir=/mnt/upper,workdir=/mnt/work overlay /mnt/root
            cd /mnt/root
            mount --rbind /dev dev
            mount -t proc proc proc
            mount -t tmpfs -o mode=755 run run
            mount --rbind /sys sys
            echo peers > etc/hostname
            printf '127.0.0.1 localhost\\n::1 localhost\\n' > etc/hosts
            [ "$2" = false ] || ip link set lo up
            exec chroot . sh -c 'echo ready; while :; do sleep 3600 & wait $!; done'
            """;

    private final Running init;
    private final long pid;

    PeerMachine(Path root, List<String> network, boolean loopback) {
        List<String> line = new ArrayList<>(network);
        line.addAll(List.of("unshare", "--mount", "--pid", "--fork", "--kill-child", "--"));
        line.addAll(List.of("sh", "-c", INIT, "init", root.toString(), String.valueOf(loopback)));
        init = Command.of(line).start();
        try {
            Await.until(
                    "a machine with " + root,
                    START,
                    () -> init.out().contains("ready") || !init.isAlive(),
                    () -> init.out() + init.err());
            pid = ProcessHandle.of(init.pid())
                    .flatMap(p -> p.children().findFirst())
                    .orElseThrow(() -> new AssertionError("the machine did not start: " + init.err()))
                    .pid();
        } catch (AssertionError e) {
            init.close();
            throw e;
        }
    }

    /** A command in the machine. Ends with the process that runs it here. */
    Command in(String... line) {
        return Command.of(line(line)).with("HOME", "/root").with("LC_ALL", "C.UTF-8");
    }

    /** What this computer runs for a command in the machine, for others to run it. */
    List<String> line(String... line) {
        List<String> inside =
                new ArrayList<>(List.of("nsenter", "-t", String.valueOf(pid), "-m", "-n", "-p", "-r", "-w"));
        inside.addAll(List.of("setpriv", "--pdeathsig", "KILL", "--"));
        inside.addAll(List.of(line));
        return inside;
    }

    /** A program that serves in the foreground, once something listens on {@code port} in TCP. */
    Running serve(int port, String... line) {
        Running server = in(line).start();
        try {
            Await.until(
                    port + " is listened on by " + List.of(line),
                    LISTENS,
                    () -> listens(port) || !server.isAlive(),
                    () -> server.out() + server.err());
            if (!server.isAlive()) {
                throw new AssertionError(List.of(line) + " ended: " + server.out() + server.err());
            }
            return server;
        } catch (AssertionError e) {
            server.close();
            throw e;
        }
    }

    /** True if something in the machine listens on this TCP port: its state is 0A in the kernel's tables. */
    private boolean listens(int port) throws IOException {
        String local = String.format(java.util.Locale.ROOT, ":%04X ", port);
        for (String table : List.of("tcp", "tcp6")) {
            for (String line : Files.readAllLines(path("/proc/1/net/" + table))) {
                List<String> words = List.of(line.strip().split("\\s+"));
                if (words.size() > 3
                        && (words.get(1) + " ").endsWith(local)
                        && words.get(3).equals("0A")) {
                    return true;
                }
            }
        }
        return false;
    }

    /** A file of the machine's as this computer sees it. */
    Path path(String absolute) {
        return Path.of("/proc/" + pid + "/root").resolve(absolute.substring(1));
    }

    /** Writes a file, with the directories above it; readable by all. */
    void write(String absolute, String text) {
        try {
            Path file = path(absolute);
            Files.createDirectories(file.getParent());
            Files.writeString(file, text);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public void close() {
        init.close();
    }
}
