package dev.longshore.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.cli.docker.DockerDirectory;
import dev.longshore.config.Home;
import dev.longshore.config.HomeLock;
import dev.longshore.config.SettingsFiles;
import dev.longshore.proto.control.v1.Endpoint;
import dev.longshore.proto.control.v1.Port;
import dev.longshore.proto.control.v1.Protocol;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

/** The commands as the user types them, where no daemon runs. */
class LongshoreCommandTest {
    private final StringWriter out = new StringWriter();
    private final StringWriter err = new StringWriter();

    @TempDir
    private Path directory;

    @Test
    void help_showsEveryCommandAndExamples() {
        assertThat(run("--help")).isZero();

        assertThat(out.toString())
                .contains("up", "down", "restart", "status", "logs", "ports", "metrics", "version", "LONGSHORE_HOME");
    }

    @Test
    void help_ofEveryCommand_hasExamplesThatAreThatCommands() {
        CommandLine root = LongshoreCommand.commandLine(
                context(home(), new Terminal(new PrintWriter(out), new PrintWriter(err), false)));
        assertThat(root.getSubcommands()).hasSizeGreaterThan(10);
        root.getSubcommands().values().forEach(command -> assertHasExamples(command, command.getCommandName()));
    }

    private static void assertHasExamples(CommandLine command, String path) {
        String help = command.getUsageMessage(CommandLine.Help.Ansi.OFF);
        assertThat(help).as(path).contains("Examples:");
        String examples = help.substring(help.indexOf("Examples:"));
        assertThat(examples)
                .as(path)
                .containsAnyOf("longshore " + path, "docker " + path, "longshore " + command.getCommandName());
        command.getSubcommands()
                .values()
                .forEach(below -> assertHasExamples(below, path + " " + below.getCommandName()));
    }

    @Test
    void status_withoutADaemon_isStopped() {
        assertThat(run("status")).isEqualTo(ExitCode.STOPPED);
        assertThat(out.toString()).startsWith("status       stopped");

        assertThat(run("status", "--format", "json")).isEqualTo(ExitCode.STOPPED);
        assertThat(out.toString()).contains("\"dockerHost\" : \"unix://" + directory);
    }

    @Test
    void wrongArguments_areAUsageError() {
        assertThat(run("status", "--format", "xml")).isEqualTo(ExitCode.USAGE);
        assertThat(run("stauts")).isEqualTo(ExitCode.USAGE);
        assertThat(err.toString()).contains("stauts");
        assertThat(run("ports", "ls", "--format", "xml")).isEqualTo(ExitCode.USAGE);
        assertThat(run("ports", "expose")).isEqualTo(ExitCode.USAGE);
        assertThat(run("ports", "expose", "abc")).isEqualTo(ExitCode.USAGE);
        assertThat(run("ports", "expose", "8080")).isEqualTo(ExitCode.USAGE);
        assertThat(run("ports", "unexpose", "70000")).isEqualTo(ExitCode.USAGE);
        assertThat(err.toString()).contains("'abc' is not a port", "'8080' has no port of the guest", "70000");
    }

    @Test
    void commandsThatNeedADaemon_sayHowToStartOne() {
        assertThat(run("ports")).isEqualTo(ExitCode.FAILED);
        assertThat(run("metrics")).isEqualTo(ExitCode.FAILED);
        assertThat(err.toString()).contains("not running; start it with: longshore up");
    }

    @Test
    void down_afterADaemonWasKilled_sweepsItsFiles() throws Exception {
        Home home = home();
        home.create();
        for (Path socket : home.sockets()) {
            Files.writeString(socket, "");
        }
        Files.writeString(home.pidFile(), "1\n");

        assertThat(run("down")).isZero();

        assertThat(home.run()).isEmptyDirectory();
        assertThat(err.toString()).contains("Not running.");
    }

    @Test
    void status_whileSomebodyHoldsTheHome_isNoLongerStopped() throws Exception {
        Home home = home();
        home.create();
        try (HomeLock lock = HomeLock.take(home)) {
            assertThat(lock).isNotNull();
            assertThat(HomeLock.take(home)).isNull();
            assertThat(run("status")).isEqualTo(ExitCode.CHANGING);
        }
        assertThat(HomeLock.holder(home)).isZero();
    }

    @Test
    void logs_showTheEndOfTheFile() throws Exception {
        Home home = home();
        home.create();
        Files.writeString(home.backendLog(), "one\ntwo\nthree\n");
        Files.writeString(home.consoleLog(), "booting\n");

        assertThat(run("logs", "-n", "2")).isZero();
        assertThat(out.toString()).isEqualTo("two\nthree\n");
        assertThat(run("logs", "--console")).isZero();
        assertThat(out.toString()).endsWith("booting\n");
    }

    @Test
    void up_withoutTheLauncher_saysSo() {
        assertThat(run("up")).isEqualTo(ExitCode.FAILED);
        assertThat(err.toString()).contains("./longshore up");
    }

    @Test
    void up_withTooLongAHome_saysWhatToDo() {
        Home home = Home.at(directory.resolve("d".repeat(100)), directory);

        assertThat(run(home, "up")).isEqualTo(ExitCode.FAILED);
        assertThat(err.toString()).contains("LONGSHORE_HOME").contains("shorter");
    }

    @Test
    void aHomeThatIsAFile_isNeverCalledStopped() throws Exception {
        Path file = Files.writeString(directory.resolve("file"), "");

        assertThat(run(Home.at(file, directory), "status")).isEqualTo(ExitCode.FAILED);
        assertThat(run(Home.at(file, directory), "down")).isEqualTo(ExitCode.FAILED);
        assertThat(run(Home.at(file, directory), "down", "--help")).isZero();
        assertThat(err.toString()).contains(file + " is not a directory").doesNotContain("Not running");
    }

    @Test
    void down_ofADaemonWhoseHomeAnotherHasTaken_isDone() throws Exception {
        Home home = home();
        home.create();
        Process gone = new ProcessBuilder("true").start();
        gone.waitFor();
        try (HomeLock lock = HomeLock.take(home)) {
            assertThat(lock).isNotNull();

            assertThat(Downing.ended(home, gone.pid(), 0)).isTrue();
            assertThat(Downing.ended(home, ProcessHandle.current().pid(), 0)).isFalse();
        }
    }

    @Test
    void dockerHost_withBlanksOrQuotes_isOneWordForTheShell() {
        assertThat(UpCommand.quoted("unix:///h/run/docker.sock")).isEqualTo("unix:///h/run/docker.sock");
        assertThat(UpCommand.quoted("unix:///my home/d'or")).isEqualTo("'unix:///my home/d'\\''or'");
    }

    @Test
    void ports_asJson_areAnArray() {
        Port port = Port.newBuilder()
                .setProtocol(Protocol.PROTOCOL_UDP)
                .setHost(Endpoint.newBuilder().setAddress("::").setPort(53))
                .setGuest(Endpoint.newBuilder().setAddress("172.17.0.2").setPort(5353))
                .setOwner("container")
                .setActive(2)
                .build();

        assertThat(PortsJson.text(List.of(port)).replaceAll("\\s", ""))
                .isEqualTo("[{\"protocol\":\"udp\",\"host\":{\"address\":\"::\",\"port\":53},"
                        + "\"guest\":{\"address\":\"172.17.0.2\",\"port\":5353},"
                        + "\"owner\":\"container\",\"active\":2,\"note\":\"\",\"proxyProtocol\":\"\"}]");
        assertThat(PortsJson.text(List.of()).replaceAll("\\s", "")).isEqualTo("[]");
    }

    @Test
    void ports_areListedByPort() {
        List<Port> ports = Stream.of(8102, 80, 8101)
                .map(p -> Port.newBuilder()
                        .setHost(Endpoint.newBuilder().setAddress("0.0.0.0").setPort(p))
                        .build())
                .toList();

        assertThat(PortsCommand.Ls.inOrder(ports))
                .extracting(p -> p.getHost().getPort())
                .containsExactly(80, 8101, 8102);
    }

    private Home home() {
        return Home.at(directory, directory.resolve("cache"));
    }

    private int run(String... arguments) {
        return run(home(), arguments);
    }

    private int run(Home home, String... arguments) {
        Terminal terminal = new Terminal(new PrintWriter(out), new PrintWriter(err), false);
        int status = LongshoreCommand.commandLine(context(home, terminal)).execute(arguments);
        terminal.out().flush();
        terminal.err().flush();
        return status;
    }

    private Context context(Home home, Terminal terminal) {
        return new Context(
                home,
                new SettingsFiles(home.settingsFile(), directory.resolve("admin-settings.json")),
                new DockerDirectory(directory.resolve("docker")),
                terminal,
                new DaemonLauncher(home, ""));
    }
}
