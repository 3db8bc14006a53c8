package dev.longshore.cli;

import dev.longshore.proto.control.v1.ExplainPolicyReply;
import dev.longshore.proto.control.v1.ExplainPolicyRequest;
import dev.longshore.proto.control.v1.ExplainRouteReply;
import dev.longshore.proto.control.v1.ExplainRouteRequest;
import dev.longshore.proto.control.v1.FlowProtocol;
import dev.longshore.proto.control.v1.GetProxiesReply;
import dev.longshore.proto.control.v1.GetProxiesRequest;
import dev.longshore.proto.control.v1.GetProxyLogReply;
import dev.longshore.proto.control.v1.GetProxyLogRequest;
import dev.longshore.proto.control.v1.PolicyAction;
import dev.longshore.proto.control.v1.RouteHopKind;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(
        name = "proxy",
        mixinStandardHelpOptions = true,
        description =
                "Upstream proxies: which way what leaves the guest goes; without a subcommand, shows what counts.",
        footer = {
            "%nThe settings are containersProxy.* and, where containersProxy.mode is empty, proxy.*.",
            "%nExamples:",
            "  longshore proxy show",
            "  longshore proxy explain https://registry-1.docker.io/v2/",
            "  longshore proxy log --most 20",
            "  longshore settings set proxy.mode manual",
            "  longshore settings set proxy.https http://proxy.example:3128",
            "  longshore settings set proxy.exclude '*.example,10.0.0.0/8'"
        })
final class ProxyCommand implements Callable<Integer> {
    private final Context context;

    private ProxyCommand(Context context) {
        this.context = context;
    }

    static CommandLine commandLine(Context context) {
        return new CommandLine(new ProxyCommand(context))
                .addSubcommand(new Show(context))
                .addSubcommand(new Explain(context))
                .addSubcommand(new Log(context));
    }

    @Override
    public Integer call() {
        return new Show(context).call();
    }

    @Command(
            name = "show",
            mixinStandardHelpOptions = true,
            description = "The proxies, exclusions or script that count now, and where they come from.")
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
                GetProxiesReply proxies = client.proxies().getProxies(GetProxiesRequest.getDefaultInstance());
                switch (format) {
                    case text -> ProxyText.lines(proxies).forEach(context.terminal()::result);
                    case json -> context.terminal().result(ProxyText.json(proxies));
                }
            }
            return ExitCode.OK;
        }
    }

    @Command(
            name = "log",
            mixinStandardHelpOptions = true,
            description = {
                "The last requests and tunnels through the proxy, at most 1000, the oldest first: who, where to, which way. Each is"
                        + " there when it has ended.",
                "The setting proxy.auditLog writes them to a file, too."
            },
            footer = {
                "%nExamples:",
                "  longshore proxy log",
                "  longshore proxy log --most 20",
                "  longshore proxy log --format json | jq -r .host | sort | uniq -c     a line of JSON for each",
                "  longshore settings set proxy.auditLog true"
            })
    static final class Log implements Callable<Integer> {
        private final Context context;

        @Option(names = "--most", paramLabel = "N", description = "At most so many (default: all that are kept).")
        private int most;

        @Option(names = "--format", description = "${COMPLETION-CANDIDATES} (default: ${DEFAULT-VALUE}).")
        private Format format = Format.text;

        Log(Context context) {
            this.context = context;
        }

        @Override
        public Integer call() {
            if (most < 0 || most > 1000) {
                throw CliException.wrongArguments("--most is 1 to 1000");
            }
            try (ControlClient client = ControlClient.require(context.home())) {
                GetProxyLogReply reply = client.proxies()
                        .getProxyLog(
                                GetProxyLogRequest.newBuilder().setMost(most).build());
                switch (format) {
                    case text -> ProxyLogText.lines(reply).forEach(context.terminal()::result);
                    case json ->
                        reply.getEntriesList()
                                .forEach(entry -> context.terminal().result(ProxyLogText.json(entry)));
                }
            }
            return ExitCode.OK;
        }
    }

    @Command(
            name = "explain",
            mixinStandardHelpOptions = true,
            description = {
                "Which way a request would go and what says so: settings, an exclusion, a script; and what the egress"
                        + " policy says to it. Nothing is connected."
            },
            footer = {
                "%nExit status: 0 there is a way, 3 blocked or denied; 1 failed, 2 wrong arguments.",
                "%nExamples:",
                "  longshore proxy explain https://registry-1.docker.io/v2/      the Engine's pulls",
                "  longshore proxy explain --container web http://example.com",
                "  longshore proxy explain db.example.com:5432                   what is tunnelled to that port"
            })
    static final class Explain implements Callable<Integer> {
        private static final Pattern URL = Pattern.compile(
                "(?:([a-zA-Z]+)://)?(?:[^/?#@]*@)?(?:\\[([0-9a-fA-F:.]+)]|([^:\\[\\]/?# ]+))(?::([0-9]{1,5}))?(?:[/?#].*)?");
        private static final int HTTP_PORT = 80;
        private static final int HTTPS_PORT = 443;
        private static final int MAX_PORT = 65_535;

        private final Context context;

        @Option(
                names = "--container",
                paramLabel = "NAME",
                description = "For the egress policy: a container, by its name or the beginning of its id (default: the"
                        + " guest itself).")
        private String container = "";

        @Option(names = "--format", description = "${COMPLETION-CANDIDATES} (default: ${DEFAULT-VALUE}).")
        private Format format = Format.text;

        @Parameters(paramLabel = "URL", description = "http://HOST, https://HOST, or HOST:PORT for what is tunnelled.")
        private String target = "";

        Explain(Context context) {
            this.context = context;
        }

        @Override
        public Integer call() {
            ExplainRouteRequest request = request(target);
            try (ControlClient client = ControlClient.require(context.home())) {
                ExplainRouteReply route = client.proxies().explainRoute(request);
                ExplainPolicyReply policy = client.policy()
                        .explainPolicy(ExplainPolicyRequest.newBuilder()
                                .setContainer(container)
                                .setProtocol(FlowProtocol.FLOW_PROTOCOL_TCP)
                                .setHost(request.getHost())
                                .setPort(request.getPort())
                                .build());
                switch (format) {
                    case text ->
                        ProxyText.lines(request, route, policy.getExplanationsList())
                                .forEach(context.terminal()::result);
                    case json ->
                        context.terminal().result(ProxyText.json(request, route, policy.getExplanationsList()));
                }
                return isBlocked(route) || isDenied(policy) ? ExitCode.DENIED : ExitCode.OK;
            }
        }

        private static boolean isBlocked(ExplainRouteReply route) {
            return route.getHopsCount() == 0 || route.getHops(0).getKind() == RouteHopKind.ROUTE_HOP_KIND_BLOCKED;
        }

        private static boolean isDenied(ExplainPolicyReply policy) {
            return policy.getExplanationsList().stream()
                    .anyMatch(e -> e.getVerdict() == PolicyAction.POLICY_ACTION_DENY);
        }

        /** Throws what the user is told. */
        static ExplainRouteRequest request(String target) {
            Matcher m = URL.matcher(target);
            String scheme = m.matches() && m.group(1) != null ? m.group(1).toLowerCase(Locale.ROOT) : "";
            if (!m.matches() || !(scheme.isEmpty() || scheme.equals("http") || scheme.equals("https"))) {
                throw wrong();
            }
            int usual = scheme.equals("http") ? HTTP_PORT : scheme.equals("https") ? HTTPS_PORT : 0;
            int port = m.group(4) == null ? usual : Integer.parseInt(m.group(4));
            if (port < 1 || port > MAX_PORT) {
                throw wrong();
            }
            return ExplainRouteRequest.newBuilder()
                    .setPlain(scheme.equals("http"))
                    .setHost(m.group(2) == null ? m.group(3) : m.group(2))
                    .setPort(port)
                    .build();
        }

        /** Without the text, which may have a password. */
        private static CliException wrong() {
            return CliException.wrongArguments(
                    "no URL, as in https://example.com, http://[2001:db8::1]:8080/ or example.com:5432");
        }
    }
}
