package dev.longshore.cli;

import dev.longshore.proto.control.v1.ExposePortRequest;
import dev.longshore.proto.control.v1.ListPortsRequest;
import dev.longshore.proto.control.v1.Port;
import dev.longshore.proto.control.v1.ProxyProtocol;
import dev.longshore.proto.control.v1.UnexposePortRequest;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(
        name = "ports",
        mixinStandardHelpOptions = true,
        description = "The host's listeners for published ports; without a subcommand, lists them.")
final class PortsCommand implements Callable<Integer> {
    private final Context context;

    private PortsCommand(Context context) {
        this.context = context;
    }

    static CommandLine commandLine(Context context) {
        return new CommandLine(new PortsCommand(context))
                .addSubcommand(new Ls(context))
                .addSubcommand(new Expose(context))
                .addSubcommand(new Unexpose(context));
    }

    @Override
    public Integer call() {
        return new Ls(context).call();
    }

    @Command(name = "ls", mixinStandardHelpOptions = true, description = "Lists the ports that are bound.")
    static final class Ls implements Callable<Integer> {
        private final Context context;

        @Option(names = "--format", description = "${COMPLETION-CANDIDATES} (default: ${DEFAULT-VALUE}).")
        private Format format = Format.text;

        Ls(Context context) {
            this.context = context;
        }

        @Override
        public Integer call() {
            try (ControlClient client = ControlClient.require(context.home())) {
                List<Port> ports = inOrder(client.ports()
                        .listPorts(ListPortsRequest.getDefaultInstance())
                        .getPortsList());
                switch (format) {
                    case text -> table(ports).forEach(context.terminal()::result);
                    case json -> context.terminal().result(PortsJson.text(ports));
                }
            }
            return ExitCode.OK;
        }

        private static List<String> table(List<Port> ports) {
            List<String> rows = new ArrayList<>(List.of(row("PROTO", "HOST", "GUEST", "OWNER", "OPEN", "")));
            for (Port p : ports) {
                rows.add(row(
                        PortSpec.word(p.getProtocol()),
                        PortSpec.text(p.getHost()),
                        PortSpec.text(p.getGuest()),
                        p.getOwner(),
                        Long.toString(p.getActive()),
                        p.getNote()));
            }
            return rows;
        }

        /** By the host's port, as people look for it; the daemon has them by age. */
        static List<Port> inOrder(List<Port> ports) {
            return ports.stream()
                    .sorted(Comparator.comparingInt((Port p) -> p.getHost().getPort())
                            .thenComparing(p -> PortSpec.word(p.getProtocol()))
                            .thenComparing(p -> p.getHost().getAddress()))
                    .toList();
        }

        private static String row(String protocol, String host, String guest, String owner, String open, String note) {
            return String.format(
                            Locale.ROOT, "%-6s %-28s %-28s %-12s %-5s %s", protocol, host, guest, owner, open, note)
                    .stripTrailing();
        }
    }

    @Command(
            name = "expose",
            mixinStandardHelpOptions = true,
            description =
                    "Binds a port of the host and forwards it into the guest, until it is unexposed or the guest stops.",
            footer = {
                "%nExamples:",
                "  longshore ports expose 2222:22                       the guest's own port 22",
                "  longshore ports expose 127.0.0.1:8080:172.17.0.2:80  a container's port",
                "  longshore ports expose 0:53/udp                      any free port of the host",
                "  longshore ports expose unix:/tmp/db.sock:172.17.0.2:5432   a socket in the host's file system"
            })
    static final class Expose implements Callable<Integer> {
        private final Context context;

        @Parameters(
                paramLabel = "PORT",
                description =
                        "[HOST-IP:]HOST-PORT:[GUEST-IP:]GUEST-PORT[/tcp|/udp], or unix:PATH:[GUEST-IP:]GUEST-PORT")
        private String port = "";

        @Option(
                names = "--proxy-protocol",
                paramLabel = "VERSION",
                description = "Tell the service who called: ${COMPLETION-CANDIDATES}; not for UDP.")
        private @Nullable Introduction introduction;

        private enum Introduction {
            v1,
            v2
        }

        private ProxyProtocol proxyProtocol() {
            return switch (introduction) {
                case null -> ProxyProtocol.PROXY_PROTOCOL_UNSPECIFIED;
                case v1 -> ProxyProtocol.PROXY_PROTOCOL_V1;
                case v2 -> ProxyProtocol.PROXY_PROTOCOL_V2;
            };
        }

        Expose(Context context) {
            this.context = context;
        }

        @Override
        public Integer call() {
            PortSpec spec = PortSpec.parse(port);
            if (spec.guest().getPort() == 0) {
                throw CliException.wrongArguments("'" + port + "' has no port of the guest: HOST-PORT:GUEST-PORT");
            }
            try (ControlClient client = ControlClient.require(context.home())) {
                Port bound = client.ports()
                        .exposePort(ExposePortRequest.newBuilder()
                                .setProtocol(spec.protocol())
                                .setHost(spec.host())
                                .setGuest(spec.guest())
                                .setProxyProtocol(proxyProtocol())
                                .build())
                        .getPort();
                context.terminal().result(PortSpec.text(bound.getHost()));
            }
            return ExitCode.OK;
        }
    }

    @Command(name = "unexpose", mixinStandardHelpOptions = true, description = "Releases a port that expose has bound.")
    static final class Unexpose implements Callable<Integer> {
        private final Context context;

        @Parameters(paramLabel = "PORT", description = "[HOST-IP:]HOST-PORT[/tcp|/udp], or unix:PATH")
        private String port = "";

        Unexpose(Context context) {
            this.context = context;
        }

        @Override
        public Integer call() {
            PortSpec spec = PortSpec.parse(port);
            try (ControlClient client = ControlClient.require(context.home())) {
                var _ = client.ports()
                        .unexposePort(UnexposePortRequest.newBuilder()
                                .setProtocol(spec.protocol())
                                .setHost(spec.host())
                                .build());
            }
            return ExitCode.OK;
        }
    }
}
