package dev.longshore.cli;

import java.util.List;
import picocli.CommandLine;
import picocli.CommandLine.Command;

/** The top command: only help. */
@Command(
        name = "longshore",
        mixinStandardHelpOptions = true,
        versionProvider = VersionCommand.Provider.class,
        synopsisSubcommandLabel = "COMMAND",
        description = "A Docker Engine in a Linux guest, with the network of the host.",
        footerHeading = "%nExamples:%n",
        footer = {
            "  longshore up                       start, and print the Docker host to use",
            "  eval \"$(longshore up)\"             the same, and use it in this shell",
            "  docker run -p 8080:80 ...          as ever; the port answers on the host",
            "  longshore status --format json     what runs, for programs",
            "  longshore ports expose 2222:22     a port of the guest itself",
            "  longshore settings list            every setting, and where its value comes from",
            "  longshore flows --watch            what the guest talks to, with rates",
            "  longshore policy explain --container web example.com:443    may it, and why",
            "  longshore dns query example.com    its addresses, and who says so",
            "  longshore proxy explain https://example.com                 which way, and why",
            "  longshore capture tcp port 443     its packets; -w FILE for Wireshark",
            "  longshore logs -f --console        what the guest prints",
            "  longshore diagnose                 what is wrong, and a bundle for a report",
            "  longshore plugin install           docker desktop start, status, logs, …",
            "  longshore net --tap tap0@NETNS     only the network, for a guest of your own (net --help)",
            "  longshore down                     stop everything",
            "",
            "LONGSHORE_HOME is the directory of one instance; without it, the XDG directories are used.",
            "Exit status: 0 done, 1 failed, 2 wrong arguments; status: 3 stopped, 4 starting or stopping;",
            "policy explain, proxy explain: 3 denied; --timeout: 124 time is up."
        })
final class LongshoreCommand {
    private LongshoreCommand() {}

    /** The launcher's word for "docker runs this as its plugin". */
    private static final String PLUGIN = "docker-plugin";

    static int execute(Context context, List<String> arguments) {
        CommandLine line = commandLine(context);
        boolean plugin = !arguments.isEmpty() && arguments.getFirst().equals(PLUGIN);
        if (plugin) {
            line.setCommandName("docker");
        }
        List<String> own = plugin ? PluginArguments.own(arguments.subList(1, arguments.size())) : arguments;
        return line.execute(own.toArray(String[]::new));
    }

    static CommandLine commandLine(Context context) {
        CommandLine line = new CommandLine(new LongshoreCommand())
                .addSubcommand(new UpCommand(context))
                .addSubcommand(new DownCommand(context))
                .addSubcommand(new RestartCommand(context))
                .addSubcommand(new StatusCommand(context))
                .addSubcommand(new LogsCommand(context))
                .addSubcommand(PortsCommand.commandLine(context))
                .addSubcommand(FilesCommand.commandLine(context))
                .addSubcommand(SettingsCommand.commandLine(context))
                .addSubcommand(new FlowsCommand(context))
                .addSubcommand(PolicyCommand.commandLine(context))
                .addSubcommand(DnsCommand.commandLine(context))
                .addSubcommand(ProxyCommand.commandLine(context))
                .addSubcommand(new CaptureCommand(context))
                .addSubcommand(new MetricsCommand(context))
                .addSubcommand(new DiagnoseCommand(context))
                .addSubcommand(DesktopCommand.commandLine(context))
                .addSubcommand(PluginCommand.commandLine(context))
                .addSubcommand(new CompletionCommand(context))
                .addSubcommand(new VersionCommand(context));
        Examples.addTo(line);
        line.setOut(context.terminal().out());
        line.setErr(context.terminal().err());
        line.setExecutionStrategy(parsed -> run(parsed, context));
        line.setExecutionExceptionHandler((e, command, parsed) -> Failures.report(e, context.terminal()));
        return line;
    }

    /** No command says anything of a home it may not look into: "stopped" would be a guess. */
    private static int run(CommandLine.ParseResult parsed, Context context) {
        Integer help = CommandLine.executeHelpRequest(parsed);
        if (help != null) {
            return help;
        }
        String problem = context.home().problem();
        if (problem != null) {
            return Failures.report(new CliException(problem), context.terminal());
        }
        return new CommandLine.RunLast().execute(parsed);
    }
}
