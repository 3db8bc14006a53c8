package dev.longshore.cli;

import picocli.CommandLine;
import picocli.CommandLine.Command;

/** Docker Desktop's commands, with its flags: {@code longshore desktop …}, and {@code docker desktop …} by the plugin. */
@Command(
        name = "desktop",
        mixinStandardHelpOptions = true,
        synopsisSubcommandLabel = "COMMAND",
        description = "Docker Desktop's commands for Longshore; as 'docker desktop' after: longshore plugin install",
        footer = {
            "%nExamples:",
            "  docker desktop start --timeout 120      start, wait at most two minutes",
            "  docker desktop status --format json     {\"Status\":\"running\",…}",
            "  docker desktop logs --since '10min ago' --priority 1 --unit engine",
            "  docker desktop diagnose                 checks, and a bundle to attach to a report",
            "",
            "Exit status: 0 done, 1 failed, 2 wrong arguments, 3 not running (status), 4 starting or stopping (status),",
            "124 time is up (--timeout)."
        })
final class DesktopCommand {
    private DesktopCommand() {}

    static CommandLine commandLine(Context context) {
        return new CommandLine(new DesktopCommand())
                .addSubcommand(new DesktopStart(context))
                .addSubcommand(new DesktopStop(context))
                .addSubcommand(new DesktopRestart(context))
                .addSubcommand(new DesktopStatus(context))
                .addSubcommand(new DesktopLogs(context))
                .addSubcommand(new DesktopVersion(context))
                .addSubcommand(new DesktopUpdate(context))
                .addSubcommand(DesktopEngine.commandLine(context))
                .addSubcommand(DesktopFeature.enable())
                .addSubcommand(DesktopFeature.disable())
                .addSubcommand(DesktopKubernetes.commandLine())
                .addSubcommand(new DiagnoseCommand(context));
    }
}
