package dev.longshore.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.cli.docker.DockerDirectory;
import dev.longshore.config.Home;
import dev.longshore.config.SettingsFiles;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.zip.ZipFile;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Docker Desktop's commands, completion and diagnosis, where no daemon runs. */
class DesktopCommandTest {
    private final StringWriter out = new StringWriter();
    private final StringWriter err = new StringWriter();

    @TempDir
    private Path directory;

    @Test
    void status_isStopped_inBothFormats() {
        assertThat(run("desktop", "status")).isEqualTo(ExitCode.STOPPED);
        assertThat(out.toString()).isEqualToNormalizingWhitespace("Name Value Status stopped");

        out.getBuffer().setLength(0);
        assertThat(run("desktop", "status", "--format", "json")).isEqualTo(ExitCode.STOPPED);
        assertThat(out.toString()).isEqualTo("{\"Status\":\"stopped\",\"SessionID\":\"\"}\n");
    }

    @Test
    void stop_ofWhatDoesNotRun_isDone() {
        for (String flag : List.of("--timeout=5", "--force", "--detach", "-d")) {
            assertThat(run("desktop", "stop", flag)).as(flag).isZero();
        }
        assertThat(err.toString()).contains("Longshore is not running.");
    }

    @Test
    void asDockersPlugin_dockersOwnFlagsAreSkipped() {
        assertThat(run("docker-plugin", "--context", "x", "-D", "--log-level=debug", "desktop", "version", "--short"))
                .isZero();
        assertThat(out.toString()).matches("\\d+\\.\\d+\\.\\d+\\S*\n");

        assertThat(run("docker-plugin", "desktop", "start", "--help")).isZero();
        assertThat(out.toString()).contains("Usage: docker desktop start", "--timeout", "-d, --detach");
    }

    @Test
    void timeLimit_endsACommandThatTakesLonger() throws Exception {
        CountDownLatch never = new CountDownLatch(1);

        CliException e = org.assertj.core.api.Assertions.catchThrowableOfType(
                CliException.class,
                () -> TimeLimit.run(1, "the start", () -> {
                    never.await();
                    return 0;
                }));

        assertThat(e.exitCode()).isEqualTo(124);
        assertThat(e).hasMessageContaining("the start took longer than 1 s");
        assertThat(TimeLimit.run(0, "it", () -> 7)).isEqualTo(7);
        assertThat(TimeLimit.run(60, "it", () -> 7)).isEqualTo(7);
    }

    @Test
    void whatLongshoreHasNot_isSaid() {
        assertThat(run("desktop", "enable", "model-runner", "--tcp", "12434")).isEqualTo(ExitCode.FAILED);
        assertThat(run("desktop", "disable", "model-runner")).isZero();
        assertThat(run("desktop", "kubernetes", "images", "--format", "json")).isEqualTo(ExitCode.FAILED);
        assertThat(run("desktop", "engine", "use", "windows")).isEqualTo(ExitCode.USAGE);
        assertThat(err.toString()).contains("no model runner", "no Kubernetes cluster", "no engine 'windows'");
        assertThat(run("desktop", "engine", "use", "linux")).isZero();
        assertThat(run("desktop", "engine", "ls", "--format", "json")).isZero();
        assertThat(out.toString()).contains("\"Name\":\"linux\"");
    }

    @Test
    void logs_areFiltered() throws IOException {
        Home home = home();
        home.create();
        Files.writeString(home.backendLog(), """
                2026-01-01T10:00:00.000Z INFO  [main] backend.Main longshore 0.1 on Java 25, pid 1, home /h
                2026-01-01T10:00:01.000Z WARN  [net] vpnkit.tcp.TcpStack odd
                2026-01-01T11:00:00.000Z ERROR [net] engine.Engine bad
                """);
        Files.writeString(home.consoleLog(), "2026-01-01T10:30:00.000Z hello\n");

        assertThat(logs()).hasSize(4);
        assertThat(logs("-p", "1")).hasSize(2);
        assertThat(logs("-p", "2")).singleElement().asString().contains("bad");
        assertThat(logs("-u", "console,vpnkit")).hasSize(2);
        assertThat(logs("--since", "2026-01-01T10:15:00Z", "--until", "2026-01-01T10:45:00Z"))
                .singleElement()
                .asString()
                .endsWith("hello");
        assertThat(logs("-c", "-p", "2")).singleElement().asString().startsWith("\u001b[31m");
        assertThat(logs("-b", "1")).isEmpty();
        assertThat(logs("-D", home.log().toString())).hasSize(4);

        assertThat(run("desktop", "logs", "--since", "some day")).isEqualTo(ExitCode.USAGE);
        assertThat(run("desktop", "logs", "-p", "3")).isEqualTo(ExitCode.USAGE);
        assertThat(run("desktop", "logs", "-D", "/nowhere")).isEqualTo(ExitCode.FAILED);
    }

    private List<String> logs(String... flags) {
        out.getBuffer().setLength(0);
        String[] line = new String[flags.length + 2];
        line[0] = "desktop";
        line[1] = "logs";
        System.arraycopy(flags, 0, line, 2, flags.length);
        assertThat(run(line)).isZero();
        return out.toString().lines().toList();
    }

    @Test
    void diagnose_checksAndGathers_withoutSecrets() throws IOException {
        Home home = home();
        home.create();
        Files.writeString(home.backendLog(), "GET http://me:s3cr3t@proxy/\n");
        Path bundle = directory.resolve("out/bundle.zip");

        assertThat(run("diagnose", "--output", bundle.toString(), "--upload")).isEqualTo(ExitCode.FAILED);

        assertThat(out.toString())
                .contains("[PASS] settings: ", "[FAIL] daemon: ", "longshore up", "[SKIP] engine: ")
                .contains("Bundle: " + bundle, "Diagnostics ID: ");
        assertThat(Files.getPosixFilePermissions(bundle)).hasSize(2);
        try (ZipFile zip = new ZipFile(bundle.toFile())) {
            assertThat(zip.stream().map(e -> e.getName()).toList())
                    .contains("checks.txt", "host.txt", "settings.json", "log/backend.log");
            String log = new String(
                    zip.getInputStream(zip.getEntry("log/backend.log")).readAllBytes(), StandardCharsets.UTF_8);
            assertThat(log).isEqualTo("GET http://***@proxy/\n");
        }

        out.getBuffer().setLength(0);
        assertThat(run("diagnose", "--no-bundle", "--format", "json")).isEqualTo(ExitCode.FAILED);
        assertThat(out.toString()).startsWith("{\"checks\":[{").endsWith("\"bundle\":\"\"}\n");
    }

    @Test
    void diagnose_tellsWhatIsWrongWithSettings() throws IOException {
        Home home = home();
        home.create();
        Files.writeString(home.settingsFile(), "{ \"portBindingBehavior\": \n nonsense");

        assertThat(run("diagnose", "--no-bundle")).isEqualTo(ExitCode.FAILED);
        assertThat(out.toString()).contains("[FAIL] settings: ", home.settingsFile() + ": line 2");
    }

    @ParameterizedTest
    @ValueSource(strings = {"bash", "zsh", "fish"})
    void completion_namesCommandsAndOptions(String shell) throws Exception {
        assertThat(run("completion", shell)).isZero();
        assertThat(out.toString()).contains("desktop", "diagnose", "timeout", "settings");
        if (shell.equals("bash")) {
            Path script = Files.writeString(directory.resolve("script"), out.toString());
            Process check = new ProcessBuilder("bash", "-n", script.toString()).start();
            assertThat(check.waitFor()).isZero();
        }
    }

    private Home home() {
        return Home.at(directory.resolve("home"), directory);
    }

    private int run(String... arguments) {
        Home home = home();
        Terminal terminal = new Terminal(new PrintWriter(out, true), new PrintWriter(err, true), false);
        Context context = new Context(
                home,
                new SettingsFiles(home.settingsFile(), directory.resolve("admin-settings.json")),
                new DockerDirectory(directory.resolve("docker")),
                terminal,
                new DaemonLauncher(home, ""));
        return LongshoreCommand.execute(context, List.of(arguments));
    }
}
