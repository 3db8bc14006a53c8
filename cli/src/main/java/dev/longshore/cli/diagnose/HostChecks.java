package dev.longshore.cli.diagnose;

import dev.longshore.cli.docker.DockerContext;
import dev.longshore.cli.docker.DockerDirectory;
import dev.longshore.cli.docker.DockerPlugin;
import dev.longshore.config.Home;
import dev.longshore.config.Problem;
import dev.longshore.config.SettingsFiles;
import dev.longshore.config.SettingsResult;
import dev.longshore.config.SettingsStore;
import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** What can be checked without a daemon: files, the host's kernel, the docker command. */
public final class HostChecks {
    private static final long MIN_FREE_BYTES = 2L << 30;
    private static final long MIN_FILES = 4096;
    private static final Path PING_GROUPS = Path.of("/proc/sys/net/ipv4/ping_group_range");
    private static final Path LIMITS = Path.of("/proc/self/limits");
    private static final Pattern BLANKS = Pattern.compile("\\s+");

    private final Home home;
    private final SettingsFiles settings;
    private final DockerDirectory docker;

    public HostChecks(Home home, SettingsFiles settings, DockerDirectory docker) {
        this.home = home;
        this.settings = settings;
        this.docker = docker;
    }

    /** Without those of Docker's files, which are {@link #dockerFiles}. */
    public List<Check> all() {
        return List.of(settings(), space(), files(), ping(), dockerCommand());
    }

    private Check settings() {
        String question = "are the settings usable?";
        return switch (new SettingsStore(settings).read()) {
            case SettingsResult.Usable u -> {
                String warnings = lines(u.effective().warnings());
                yield Check.pass("settings", question, warnings);
            }
            case SettingsResult.Refused r -> Check.fail("settings", question, lines(r.problems()));
        };
    }

    private static String lines(List<Problem> problems) {
        return problems.stream().map(Problem::toString).collect(Collectors.joining("; "));
    }

    private Check space() {
        String question = "is there room on the disk of images and volumes?";
        Path place = Files.exists(home.state()) ? home.state() : Path.of("/");
        try {
            long free = Files.getFileStore(place).getUsableSpace();
            String text = (free >> 20) + " MiB free at " + place;
            return free < MIN_FREE_BYTES
                    ? Check.fail("space", question, text + ", " + (MIN_FREE_BYTES >> 20) + " are needed")
                    : Check.pass("space", question, text);
        } catch (IOException e) {
            return Check.skip("space", question, e.toString());
        }
    }

    private static Check files() {
        String question = "may the daemon open many files?";
        try (Stream<String> lines = Files.lines(LIMITS)) {
            String hard = lines.filter(l -> l.startsWith("Max open files"))
                    .map(l -> BLANKS.split(l, -1)[4])
                    .findFirst()
                    .orElse("unlimited");
            boolean enough = hard.equals("unlimited") || Long.parseLong(hard) >= MIN_FILES;
            return enough
                    ? Check.pass("files", question, "up to " + hard)
                    : Check.fail(
                            "files",
                            question,
                            "only " + hard + "; raise the hard limit (ulimit -Hn): each" + " connection takes one");
        } catch (IOException | NumberFormatException e) {
            return Check.skip("files", question, e.toString());
        }
    }

    private static Check ping() {
        String question = "can pings of the guest leave the host?";
        // The kernel gives such a file at once or not at all, and Files.readString begins with one byte.
        try (BufferedReader file = Files.newBufferedReader(PING_GROUPS)) {
            String[] range = BLANKS.split(String.valueOf(file.readLine()), -1);
            boolean none = Long.parseLong(range[0]) > Long.parseLong(range[1]);
            return none
                    ? Check.fail(
                            "ping",
                            question,
                            "no: the host's kernel gives nobody sockets for it; as root:"
                                    + " sysctl net.ipv4.ping_group_range='0 2147483647'")
                    : Check.pass("ping", question, "");
        } catch (IOException | RuntimeException e) {
            return Check.skip("ping", question, e.toString());
        }
    }

    private static Check dockerCommand() {
        String question = "is the docker command installed?";
        for (String directory : System.getenv().getOrDefault("PATH", "").split(File.pathSeparator, -1)) {
            Path command = Path.of(directory, "docker");
            if (Files.isExecutable(command)) {
                return Check.pass("docker", question, command.toString());
            }
        }
        return Check.fail("docker", question, "no; on Debian: apt-get install docker-cli (or docker.io)");
    }

    /**
     * What is ours in the directory of the docker command.
     *
     * @param runs whether the daemon runs, which is when there is a context
     */
    public List<Check> dockerFiles(boolean runs) {
        return List.of(context(runs), plugin());
    }

    private Check context(boolean runs) {
        String question = "does 'docker --context " + DockerContext.NAME + "' lead here?";
        if (!runs) {
            return Check.skip("context", question, "it is there while Longshore runs");
        }
        return new DockerContext(docker, home.dockerHost()).isHere()
                ? Check.pass("context", question, "")
                : Check.fail(
                        "context", question, "no: another instance has it; DOCKER_HOST=" + home.dockerHost() + " does");
    }

    private Check plugin() {
        String question = "is there 'docker desktop'?";
        DockerPlugin plugin = new DockerPlugin(docker);
        if (plugin.isTaken()) {
            return Check.skip("plugin", question, plugin.file() + " is another program's");
        }
        return plugin.isInstalled()
                ? Check.pass("plugin", question, plugin.file().toString())
                : Check.skip("plugin", question, "longshore plugin install makes it");
    }
}
