package dev.longshore.it;

import dev.longshore.config.Home;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Objects;

/**
 * A Debian root directory with other people's programs, none of which this computer has to have: the servers and clients that ours are
 * compared with and that tests need on the far side, those of {@code peer-packages.txt}; or those of another list. Immutable.
 *
 * <p>It is made once for each list of packages, in some tens of seconds, and kept in the user's cache as {@code peers/HASH}. Nothing
 * writes to it afterwards: {@link PeerMachine} has a layer of its own above it.
 */
final class PeerRoot {
    private static final String PEERS = "peer-packages.txt";
    private static final String SUITE = "bookworm";
    private static final Duration BUILD = Duration.ofMinutes(15);
    private static final List<String> LEFT_OUT =
            List.of("/usr/share/man/*", "/usr/share/doc/*", "/usr/share/locale/*", "/usr/share/info/*");

    private final Path directory;

    private PeerRoot(Path directory) {
        this.directory = directory;
    }

    /** The root of {@code peer-packages.txt}, made first if need be. */
    static PeerRoot ensure() {
        return ensure(PEERS);
    }

    /**
     * The root of another list, which is a resource beside this class, made first if need be. Threads and processes that want it at once
     * wait for the one that makes it.
     */
    static synchronized PeerRoot ensure(String list) { // a file's lock is the process's
        List<String> packages = packages(list);
        Path all = place(list);
        Path wanted = all.resolve(hash(packages));
        try {
            Files.createDirectories(all);
            try (FileChannel channel =
                            FileChannel.open(all.resolve("lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
                    FileLock _ = channel.lock()) {
                if (!Files.isDirectory(wanted)) {
                    build(packages, wanted);
                }
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return new PeerRoot(wanted);
    }

    /** Beside the cache if containers are to have it: they get nothing of this program's own directories. */
    private static Path place(String list) {
        Path cache = Home.locate(System.getenv(), Path.of("/")).cache();
        return list.equals(PEERS) ? cache.resolve("peers") : cache.resolveSibling(cache.getFileName() + "-tests");
    }

    /** Where it lies; to be read only. */
    Path directory() {
        return directory;
    }

    private static List<String> packages(String list) {
        try (InputStream in = PeerRoot.class.getResourceAsStream(list)) {
            String text = new String(Objects.requireNonNull(in, list).readAllBytes(), StandardCharsets.UTF_8);
            return text.lines()
                    .map(line -> line.replaceFirst("#.*", "").strip())
                    .filter(line -> !line.isEmpty())
                    .sorted()
                    .distinct()
                    .toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static String hash(List<String> packages) {
        String recipe = String.join("\n", SUITE, System.getProperty("os.arch"), packages.toString(), "1");
        try {
            byte[] digest = MessageDigest.getInstance("SHA-256").digest(recipe.getBytes(StandardCharsets.UTF_8));
            return HexFormat.of().formatHex(digest, 0, 8);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }

    /** In a directory beside the place, which it takes when it is complete; in a mount namespace, as mmdebstrap mounts things. */
    private static void build(List<String> packages, Path wanted) throws IOException {
        Path fresh = wanted.resolveSibling(wanted.getFileName() + ".new");
        delete(fresh);
        List<String> line = new ArrayList<>(List.of(
                "unshare",
                "--mount",
                "--",
                "mmdebstrap",
                "--mode=root",
                "--variant=apt",
                "--aptopt=APT::Install-Recommends \"false\"",
                "--include=" + String.join(",", packages)));
        LEFT_OUT.forEach(path -> line.add("--dpkgopt=path-exclude=" + path));
        line.addAll(List.of(SUITE, fresh.toString()));
        Command.of(line).within(BUILD).run().expectOk();
        Files.createDirectories(fresh.resolve("lab"));
        Files.move(fresh, wanted);
    }

    private static void delete(Path tree) {
        Command.of("rm", "-rf", "--one-file-system", tree.toString())
                .within(BUILD)
                .run()
                .expectOk();
    }

    /** A computer with this root, in a network namespace of its own that has a loopback interface and nothing else. */
    PeerMachine boot() {
        return new PeerMachine(directory, List.of("unshare", "--net", "--"), true);
    }

    /** The same in this computer's own network. */
    PeerMachine bootHere() {
        return new PeerMachine(directory, List.of(), false);
    }

    /** The same in the network namespace {@code name} of {@code ip netns}. */
    PeerMachine boot(String name) {
        return new PeerMachine(directory, List.of("ip", "netns", "exec", name), false);
    }
}
