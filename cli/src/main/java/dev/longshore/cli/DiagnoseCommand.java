package dev.longshore.cli;

import dev.longshore.cli.diagnose.Bundle;
import dev.longshore.cli.diagnose.Check;
import dev.longshore.cli.diagnose.DaemonChecks;
import dev.longshore.cli.diagnose.HostChecks;
import dev.longshore.config.HomeLock;
import dev.longshore.config.Version;
import dev.longshore.proto.control.v1.GetStatusReply;
import dev.longshore.proto.control.v1.ListPortsRequest;
import dev.longshore.proto.control.v1.Port;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDateTime;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import tools.jackson.databind.json.JsonMapper;

@Command(
        name = "diagnose",
        mixinStandardHelpOptions = true,
        description = {
            "Checks what usually goes wrong, and gathers logs, settings and counters in one file for a report.",
            "Secrets are left out; still, look into it before you give it away."
        },
        footer = {
            "%nExamples:",
            "  longshore diagnose                     [PASS] and [FAIL] lines, then the path of the bundle",
            "  longshore diagnose --no-bundle         only the checks",
            "  longshore diagnose --format json       for programs",
            "",
            "Exit status: 0 all well, 1 a check failed."
        })
final class DiagnoseCommand implements Callable<Integer> {
    private static final int LOG_CHARS = 4 << 20;
    private static final DateTimeFormatter NAME = DateTimeFormatter.ofPattern("yyyyMMdd-HHmmss");
    private static final List<String> HOST_FILES =
            List.of("/etc/os-release", "/proc/version", "/proc/meminfo", "/proc/self/limits", "/proc/loadavg");

    private final Context context;

    @Option(
            names = {"-o", "--output"},
            paramLabel = "FILE",
            description = "The bundle (default: diagnostics/TIME.zip in the home).")
    private @Nullable Path output;

    @Option(names = "--no-bundle", description = "Only the checks.")
    private boolean noBundle;

    @Option(
            names = "--upload",
            description = "Prints the bundle's ID. There is nowhere to upload it to: attach the file to your report.")
    private boolean upload;

    @Option(names = "--format", description = "${COMPLETION-CANDIDATES} (default: ${DEFAULT-VALUE}).")
    private Format format = Format.text;

    DiagnoseCommand(Context context) {
        this.context = context;
    }

    @Override
    public Integer call() throws IOException, InterruptedException {
        Map<String, String> texts = new LinkedHashMap<>();
        List<Check> checks = check(texts);
        if (format == Format.text) {
            checks.forEach(c -> context.terminal().result(c.toString()));
        }
        String id = NAME.format(LocalDateTime.now(ZoneId.systemDefault()));
        Path file = null;
        if (!noBundle) {
            texts.put("checks.txt", checks.stream().map(Check::toString).collect(Collectors.joining("\n", "", "\n")));
            addHost(texts);
            addLogs(texts);
            file = output == null
                    ? context.home().state().resolve("diagnostics").resolve(id + ".zip")
                    : output;
            Bundle.write(file, texts);
        }
        if (format == Format.json) {
            context.terminal().result(json(checks, file));
        } else if (file != null) {
            context.terminal().result("Bundle: " + file);
        }
        if (upload) {
            context.terminal().result("Diagnostics ID: " + id);
        }
        return checks.stream().anyMatch(c -> c.result() == Check.Result.FAIL) ? ExitCode.FAILED : ExitCode.OK;
    }

    private List<Check> check(Map<String, String> texts) throws InterruptedException {
        HostChecks host = new HostChecks(context.home(), context.files(), context.docker());
        List<Check> checks = new ArrayList<>(host.all());
        boolean runs = false;
        try (ControlClient client = ControlClient.connect(context.home())) {
            if (client == null) {
                long pid = HomeLock.holder(context.home());
                checks.addAll(DaemonChecks.withoutDaemon(
                        pid == 0
                                ? "it does not run: longshore up"
                                : "no, but it runs (pid " + pid + "): longshore restart"));
            } else {
                GetStatusReply status = client.status();
                List<Port> ports = client.ports()
                        .listPorts(ListPortsRequest.getDefaultInstance())
                        .getPortsList();
                checks.addAll(DaemonChecks.of(context.home(), status, ports));
                texts.put("status.json", StatusText.json(status));
                texts.put("ports.json", PortsJson.text(ports));
                texts.put("metrics.txt", client.metrics());
                runs = true;
            }
        } catch (StatusRuntimeException e) {
            checks.addAll(DaemonChecks.withoutDaemon("it fails: " + e.getStatus()));
        }
        checks.addAll(host.dockerFiles(runs));
        return checks;
    }

    private void addHost(Map<String, String> texts) {
        StringBuilder host = new StringBuilder("longshore ")
                .append(Version.current())
                .append(", Java ")
                .append(Runtime.version())
                .append('\n');
        for (String file : HOST_FILES) {
            host.append("\n==> ").append(file).append('\n').append(read(Path.of(file)));
        }
        texts.put("host.txt", host.toString());
        try (SettingsAccess settings = SettingsAccess.open(context.home(), context.files())) {
            texts.put("settings.json", SettingsText.json(settings.list().settings()));
        } catch (CliException e) {
            texts.put("settings.txt", String.valueOf(e.getMessage()));
        }
    }

    private void addLogs(Map<String, String> texts) throws IOException {
        if (!Files.isDirectory(context.home().log())) {
            return;
        }
        try (Stream<Path> logs = Files.list(context.home().log())) {
            for (Path log : logs.filter(Files::isRegularFile).sorted().toList()) {
                texts.put("log/" + log.getFileName(), read(log));
            }
        }
    }

    /** The end of a file, which is where the trouble is. */
    private static String read(Path file) {
        try {
            String text = new String(Files.readAllBytes(file), StandardCharsets.UTF_8);
            return text.substring(Math.max(0, text.length() - LOG_CHARS));
        } catch (IOException e) {
            return "(" + e + ")\n";
        }
    }

    private static String json(List<Check> checks, @Nullable Path bundle) {
        Map<String, Object> top = new LinkedHashMap<>();
        top.put(
                "checks",
                checks.stream()
                        .map(c -> Map.of(
                                "name", c.name(),
                                "question", c.question(),
                                "result", c.result().name(),
                                "detail", c.detail()))
                        .toList());
        top.put("bundle", bundle == null ? "" : bundle.toString());
        return new JsonMapper().writeValueAsString(top);
    }
}
