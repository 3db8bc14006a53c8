package dev.longshore.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/**
 * One instance of the product with a home of its own, driven as a user drives it: by {@code ./longshore}.
 * Confined to the test's thread.
 */
final class Product implements AutoCloseable {
    /** Building the product, and the guest's image out of packages. */
    private static final Duration FIRST_UP = Duration.ofMinutes(10);

    private static final Duration DOWN = Duration.ofSeconds(60);

    private final Path root =
            Path.of(System.getProperty("longshore.root", "..")).toAbsolutePath().normalize();
    private final Path home;
    private final Path dockerConfig;

    private final Map<String, String> variables = new HashMap<>();

    /** A fresh home; its path is short because of the sockets in it. */
    Product() {
        try {
            home = Files.createTempDirectory(Path.of("/tmp"), "lsit-");
            dockerConfig = Files.createTempDirectory("lsit-docker-");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    Path home() {
        return home;
    }

    Path dockerSocket() {
        return home.resolve("run/docker.sock");
    }

    /** Where the product is told that the user's SSH agent is. */
    Path sshAgent() {
        return home.resolve("ssh-agent.sock");
    }

    /** Before the first {@link #up}. */
    void settings(String json) {
        try {
            Files.writeString(home.resolve("settings.json"), json);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The user's environment has this too. Before the first {@link #up}. */
    void environment(String name, String value) {
        variables.put(name, value);
    }

    /** {@code ./longshore} with these arguments. */
    Command longshore(String... arguments) {
        List<String> line = new ArrayList<>(List.of(root.resolve("longshore").toString()));
        line.addAll(List.of(arguments));
        return Command.of(line)
                .with("LONGSHORE_HOME", home.toString())
                .with("LC_ALL", "C") // as many a shell without a user has it
                .with("DOCKER_CONFIG", dockerConfig.toString())
                .with("SSH_AUTH_SOCK", sshAgent().toString())
                .with(variables);
    }

    /** Returns what it printed. */
    Command.Result up() {
        Command.Result up = longshore("up").within(FIRST_UP).run().expectOk();
        assertThat(up.out()).contains("export DOCKER_HOST=unix://" + dockerSocket());
        return up;
    }

    Command.Result down() {
        return longshore("down").within(DOWN).run().expectOk();
    }

    DockerCli docker() {
        return new DockerCli("unix://" + dockerSocket(), dockerConfig);
    }

    /** The daemon's process. */
    long daemonPid() {
        try {
            return Long.parseLong(
                    Files.readString(home.resolve("run/backend.pid")).strip());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Processes that name this home in their arguments or environment: the daemon, the guest and their children. */
    List<String> processes() {
        try (Stream<Path> proc = Files.list(Path.of("/proc"))) {
            List<String> found = new ArrayList<>();
            proc.filter(p -> p.getFileName().toString().matches("[0-9]+")).forEach(p -> {
                String arguments = read(p.resolve("cmdline"));
                boolean ours = arguments.contains(home.toString())
                        || read(p.resolve("environ")).contains("LONGSHORE_HOME=" + home + '\0');
                boolean live = !read(p.resolve("stat")).matches("(?s).*\\) [ZX] .*");
                if (ours && live) {
                    found.add(p.getFileName() + " " + arguments.replace('\0', ' '));
                }
            });
            return found;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static String read(Path file) {
        try {
            return new String(Files.readAllBytes(file), StandardCharsets.ISO_8859_1);
        } catch (IOException e) {
            return ""; // the process is gone
        }
    }

    /** Mounts under this home. */
    List<String> mounts() {
        return read(Path.of("/proc/self/mounts"))
                .lines()
                .filter(l -> l.contains(home.toString()))
                .toList();
    }

    /** Sockets under this home. */
    List<Path> sockets() {
        try (Stream<Path> files = Files.walk(home)) {
            return files.filter(f -> !Files.isRegularFile(f) && !Files.isDirectory(f))
                    .toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The last lines of every log. */
    String logs() {
        StringBuilder text = new StringBuilder();
        try (Stream<Path> files = Files.list(home.resolve("log"))) {
            files.filter(Files::isRegularFile).sorted().forEach(f -> {
                List<String> lines = read(f).lines().toList();
                text.append("===== ").append(f).append('\n');
                lines.stream().skip(Math.max(0, lines.size() - 150)).forEach(l -> text.append(l)
                        .append('\n'));
            });
        } catch (IOException e) {
            text.append("no logs: ").append(e);
        }
        return text.toString();
    }

    /** Ends whatever still runs, and removes the home. */
    @Override
    public void close() {
        if (!processes().isEmpty()) {
            longshore("down").within(DOWN).run();
        }
        for (String left : processes()) {
            ProcessHandle.of(Long.parseLong(left.substring(0, left.indexOf(' '))))
                    .ifPresent(ProcessHandle::destroyForcibly);
        }
        deleteTree(home);
        deleteTree(dockerConfig);
    }

    static void deleteTree(Path directory) {
        try (Stream<Path> files = Files.walk(directory)) {
            files.sorted(Comparator.reverseOrder()).forEach(f -> {
                if (!f.toFile().delete()) {
                    System.err.println("not deleted: " + f);
                }
            });
        } catch (IOException | UncheckedIOException e) {
            System.err.println("not deleted: " + directory + ": " + e);
        }
    }
}
