package dev.longshore.cli;

import dev.longshore.proto.control.v1.ExplainPolicyReply;
import dev.longshore.proto.control.v1.ExplainPolicyRequest;
import dev.longshore.proto.control.v1.FlowProtocol;
import dev.longshore.proto.control.v1.GetPolicyReply;
import dev.longshore.proto.control.v1.GetPolicyRequest;
import dev.longshore.proto.control.v1.PolicyAction;
import dev.longshore.proto.control.v1.PolicyExplanation;
import java.util.concurrent.Callable;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(
        name = "policy",
        mixinStandardHelpOptions = true,
        description =
                "The egress policy: what the guest and its containers may begin with the world; without a subcommand,"
                        + " shows it.",
        footer = {
            "%nThe policy is the setting egressPolicy: rules of which the first that fits decides, and a default.",
            "%nExamples:",
            "  longshore policy show",
            "  longshore policy explain --container web db.example.com:5432",
            "  longshore settings set egressPolicy '{\"default\": \"deny\", \"rules\": [",
            "      {\"name\": \"registry\", \"action\": \"allow\", \"to\": [\"registry.example.com\"], \"ports\": [443]}]}'",
            "  longshore settings unset egressPolicy"
        })
final class PolicyCommand implements Callable<Integer> {
    private final Context context;

    private PolicyCommand(Context context) {
        this.context = context;
    }

    static CommandLine commandLine(Context context) {
        return new CommandLine(new PolicyCommand(context))
                .addSubcommand(new Show(context))
                .addSubcommand(new Explain(context));
    }

    @Override
    public Integer call() {
        return new Show(context).call();
    }

    @Command(
            name = "show",
            mixinStandardHelpOptions = true,
            description = "The rules in their order, and how often each has decided since the policy is in force.",
            footer = {
                "%nExamples:",
                "  longshore policy show                  the rules, and how often each decided",
                "  longshore policy show --format json    the same, and the whole policy"
            })
    static final class Show implements Callable<Integer> {
        private final Context context;

        @Option(names = "--format", description = "${COMPLETION-CANDIDATES} (default: ${DEFAULT-VALUE}).")
        private Format format = Format.text;

        Show(Context context) {
            this.context = context;
        }

        @Override
        public Integer call() {
            try (ControlClient client = ControlClient.require(context.home())) {
                GetPolicyReply policy = client.policy().getPolicy(GetPolicyRequest.getDefaultInstance());
                switch (format) {
                    case text -> PolicyText.lines(policy).forEach(context.terminal()::result);
                    case json -> context.terminal().result(PolicyText.json(policy));
                }
            }
            return ExitCode.OK;
        }
    }

    @Command(
            name = "explain",
            mixinStandardHelpOptions = true,
            description = "What the policy says to an attempt, and which rule says it. Nothing is connected.",
            footer = {
                "%nExit status: 0 allowed, 3 denied (any address of a name); 1 failed, 2 wrong arguments.",
                "%nExamples:",
                "  longshore policy explain example.com:443              the guest itself, as the Engine's pulls",
                "  longshore policy explain --container web 10.0.0.5:22",
                "  longshore policy explain --udp --source 172.17.0.2 [2001:db8::1]:53",
                "  longshore policy explain --ping 192.0.2.1",
                "  longshore policy explain host.docker.internal:8080"
            })
    static final class Explain implements Callable<Integer> {
        private static final Pattern HOST_PORT =
                Pattern.compile("(?:\\[([0-9a-fA-F:.]+)]|([^:\\[\\]/ ]+)):([0-9]{1,5})");
        private static final int MAX_PORT = 65_535;

        private final Context context;

        @ArgGroup
        private @Nullable Source source;

        @ArgGroup
        private @Nullable Protocol protocol;

        @Option(names = "--format", description = "${COMPLETION-CANDIDATES} (default: ${DEFAULT-VALUE}).")
        private Format format = Format.text;

        @Parameters(
                paramLabel = "HOST:PORT",
                description = "A name or an address, IPv6 in brackets; --ping has no port.")
        private String target = "";

        /** Who. */
        private static final class Source {
            @Option(
                    names = "--container",
                    paramLabel = "NAME",
                    description = "A container, by its name or the beginning of its id (default: the guest itself).")
            private String container = "";

            @Option(
                    names = "--source",
                    paramLabel = "ADDRESS",
                    description = "Whoever has this address behind the guest.")
            private String address = "";
        }

        /** How. */
        private static final class Protocol {
            @Option(names = "--udp", description = "A datagram (default: a TCP connection).")
            private boolean udp;

            @Option(names = "--ping", description = "A ping.")
            private boolean ping;
        }

        Explain(Context context) {
            this.context = context;
        }

        @Override
        public Integer call() {
            ExplainPolicyRequest request = request();
            try (ControlClient client = ControlClient.require(context.home())) {
                ExplainPolicyReply reply = client.policy().explainPolicy(request);
                switch (format) {
                    case text -> PolicyText.lines(reply.getExplanationsList()).forEach(context.terminal()::result);
                    case json -> context.terminal().result(PolicyText.json(reply.getExplanationsList()));
                }
                return reply.getExplanationsList().stream().anyMatch(Explain::isDenied) ? ExitCode.DENIED : ExitCode.OK;
            }
        }

        private static boolean isDenied(PolicyExplanation e) {
            return e.getVerdict() == PolicyAction.POLICY_ACTION_DENY;
        }

        private ExplainPolicyRequest request() {
            ExplainPolicyRequest.Builder request = ExplainPolicyRequest.newBuilder();
            Source who = source;
            if (who != null && !who.container.isEmpty()) {
                request.setContainer(who.container);
            } else if (who != null) {
                request.setAddress(who.address);
            }
            Protocol how = protocol;
            if (how != null && how.ping) {
                boolean bracketed = target.startsWith("[") && target.endsWith("]");
                return request.setProtocol(FlowProtocol.FLOW_PROTOCOL_ICMP)
                        .setHost(bracketed ? target.substring(1, target.length() - 1) : target)
                        .build();
            }
            request.setProtocol(
                    how != null && how.udp ? FlowProtocol.FLOW_PROTOCOL_UDP : FlowProtocol.FLOW_PROTOCOL_TCP);
            Matcher m = HOST_PORT.matcher(target);
            int port = m.matches() ? Integer.parseInt(m.group(3)) : 0;
            if (port < 1 || port > MAX_PORT) {
                throw CliException.wrongArguments(
                        "'" + target + "' is no HOST:PORT, as in example.com:443, 10.0.0.5:22 or [2001:db8::1]:53");
            }
            return request.setHost(m.group(1) == null ? m.group(2) : m.group(1))
                    .setPort(port)
                    .build();
        }
    }
}
