package dev.longshore.cli;

import dev.longshore.proto.control.v1.FlushDnsRequest;
import dev.longshore.proto.control.v1.GetDnsLogReply;
import dev.longshore.proto.control.v1.GetDnsLogRequest;
import dev.longshore.proto.control.v1.QueryDnsReply;
import dev.longshore.proto.control.v1.QueryDnsRequest;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

@Command(
        name = "dns",
        mixinStandardHelpOptions = true,
        description = "The guest's name server: who answers which question, what was asked, the cache.",
        footer = {
            "%nExamples:",
            "  longshore dns query db.corp.example        its answer, and who gave it",
            "  longshore dns log --most 20                the last questions of the guest",
            "  longshore dns flush                        forget all answers",
            "  longshore settings set network.dnsRoutes corp.example=10.0.0.53,168.192.in-addr.arpa=10.0.0.53"
        })
final class DnsCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec = CommandSpec.create();

    private DnsCommand() {}

    static CommandLine commandLine(Context context) {
        return new CommandLine(new DnsCommand())
                .addSubcommand(new Query(context))
                .addSubcommand(new Log(context))
                .addSubcommand(new Flush(context));
    }

    @Override
    public Integer call() {
        throw new CommandLine.ParameterException(spec.commandLine(), "query, log or flush?");
    }

    @Command(
            name = "query",
            mixinStandardHelpOptions = true,
            description = "Answers a question as if the guest had asked it, and tells how.",
            footer = {
                "%nExit status: 0 NOERROR, 1 any other answer or failed, 2 wrong arguments.",
                "%nExamples:",
                "  longshore dns query host.docker.internal",
                "  longshore dns query example.com AAAA",
                "  longshore dns query example.com HTTPS --format json"
            })
    static final class Query implements Callable<Integer> {
        private final Context context;

        @Option(names = "--format", description = "${COMPLETION-CANDIDATES} (default: ${DEFAULT-VALUE}).")
        private Format format = Format.text;

        @Parameters(index = "0", paramLabel = "NAME", description = "A domain name.")
        private String name = "";

        @Parameters(
                index = "1",
                arity = "0..1",
                paramLabel = "TYPE",
                description = "A, AAAA, MX, ..., or TYPE and a number (default: A).")
        private String type = "";

        Query(Context context) {
            this.context = context;
        }

        @Override
        public Integer call() {
            try (ControlClient client = ControlClient.require(context.home())) {
                QueryDnsReply reply = client.dns()
                        .queryDns(QueryDnsRequest.newBuilder()
                                .setName(name)
                                .setType(type)
                                .build());
                switch (format) {
                    case text -> DnsWords.lines(reply).forEach(context.terminal()::result);
                    case json -> context.terminal().result(DnsWords.json(reply));
                }
                return reply.getRcode().equals("NOERROR") ? ExitCode.OK : ExitCode.FAILED;
            }
        }
    }

    @Command(
            name = "log",
            mixinStandardHelpOptions = true,
            description = "The last questions of the guest, at most 1000, the oldest first.",
            footer = {
                "%nExamples:",
                "  longshore dns log",
                "  longshore dns log --most 50",
                "  longshore dns log --format json | jq -r .name | sort | uniq -c     a line of JSON for each question"
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
                GetDnsLogReply reply = client.dns()
                        .getDnsLog(GetDnsLogRequest.newBuilder().setMost(most).build());
                switch (format) {
                    case text -> DnsWords.lines(reply).forEach(context.terminal()::result);
                    case json ->
                        reply.getLinesList().forEach(line -> context.terminal().result(DnsWords.json(line)));
                }
            }
            return ExitCode.OK;
        }
    }

    @Command(
            name = "flush",
            mixinStandardHelpOptions = true,
            description = "Forgets all answers that are kept; the next questions are asked anew.",
            footer = {"%nExamples:", "  longshore dns flush"})
    static final class Flush implements Callable<Integer> {
        private final Context context;

        Flush(Context context) {
            this.context = context;
        }

        @Override
        public Integer call() {
            try (ControlClient client = ControlClient.require(context.home())) {
                int entries = client.dns()
                        .flushDns(FlushDnsRequest.getDefaultInstance())
                        .getEntries();
                context.terminal().result(entries + (entries == 1 ? " answer" : " answers") + " forgotten");
            }
            return ExitCode.OK;
        }
    }
}
