package dev.longshore.cli;

import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import picocli.CommandLine;
import picocli.CommandLine.Model.UsageMessageSpec;

/** Examples for the help of the commands that have none of their own, in one place, so that none is forgotten. */
final class Examples {
    private static final Map<String, List<String>> OF = Map.ofEntries(
            Map.entry(
                    "up",
                    List.of(
                            "longshore up                        start, and print the Docker host to use",
                            "eval \"$(longshore up)\"              the same, and use it in this shell",
                            "longshore up --foreground           for a service manager; Ctrl-C stops everything")),
            Map.entry("down", List.of("longshore down")),
            Map.entry("restart", List.of("longshore restart                   take over changed settings")),
            Map.entry(
                    "status",
                    List.of(
                            "longshore status",
                            "longshore status --format json | jq -r .dockerHost",
                            "longshore status > /dev/null || longshore up")),
            Map.entry(
                    "logs",
                    List.of(
                            "longshore logs                      what the daemon did",
                            "longshore logs -f --console         what the guest prints, as it comes")),
            Map.entry(
                    "ports",
                    List.of(
                            "longshore ports                     what is published, and by whom",
                            "longshore ports expose 2222:22      a port of the guest itself")),
            Map.entry("ports ls", List.of("longshore ports ls", "longshore ports ls --format json")),
            Map.entry(
                    "ports unexpose",
                    List.of(
                            "longshore ports unexpose 2222",
                            "longshore ports unexpose 127.0.0.1:5353/udp",
                            "longshore ports unexpose unix:/tmp/db.sock")),
            Map.entry("settings list", List.of("longshore settings list", "longshore settings list --format json")),
            Map.entry(
                    "settings get",
                    List.of(
                            "longshore settings get portBindingBehavior",
                            "longshore settings get cpus --format json     its default, where it comes from, its lock")),
            Map.entry(
                    "settings set",
                    List.of(
                            "longshore settings set memoryMiB 4096",
                            "longshore settings set network.dnsServers 10.0.0.1,10.0.0.2",
                            "printf %s \"$PROXY\" | longshore settings set proxy.http -     a password is no argument")),
            Map.entry("settings unset", List.of("longshore settings unset portBindingBehavior")),
            Map.entry(
                    "settings schema",
                    List.of(
                            "longshore settings schema > settings.schema.json     for an editor that knows JSON Schema")),
            Map.entry("policy show", List.of("longshore policy show", "longshore policy show --format json")),
            Map.entry("proxy show", List.of("longshore proxy show", "longshore proxy show --format json")),
            Map.entry("metrics", List.of("longshore metrics | grep dropped")),
            Map.entry("desktop start", List.of("docker desktop start --timeout 120", "docker desktop start --detach")),
            Map.entry("desktop stop", List.of("docker desktop stop --timeout 60")),
            Map.entry("desktop restart", List.of("docker desktop restart --timeout 120")),
            Map.entry("desktop status", List.of("docker desktop status", "docker desktop status --format json")),
            Map.entry("desktop logs", List.of("docker desktop logs --unit backend", "docker desktop logs --boot 1")),
            Map.entry(
                    "desktop version",
                    List.of("docker desktop version --short", "docker desktop version --format json")),
            Map.entry("desktop update", List.of("docker desktop update --check-only", "docker desktop update")),
            Map.entry("desktop engine", List.of("docker desktop engine ls", "docker desktop engine use linux")),
            Map.entry("desktop engine ls", List.of("docker desktop engine ls --format json")),
            Map.entry("desktop engine use", List.of("docker desktop engine use linux")),
            Map.entry("desktop enable", List.of("docker desktop enable model-runner")),
            Map.entry("desktop disable", List.of("docker desktop disable model-runner")),
            Map.entry("desktop kubernetes", List.of("docker desktop kubernetes status")),
            Map.entry("plugin", List.of("longshore plugin install            then: docker desktop status")),
            Map.entry(
                    "plugin install",
                    List.of(
                            "longshore plugin install",
                            "LONGSHORE_HOME=/srv/longshore longshore plugin install     for that instance")),
            Map.entry("plugin uninstall", List.of("longshore plugin uninstall")),
            Map.entry("version", List.of("longshore version", "longshore version --format json")));

    private Examples() {}

    /** Adds them to all commands below {@code root}. */
    static void addTo(CommandLine root) {
        root.getSubcommands().forEach((name, command) -> addTo(command, name));
    }

    private static void addTo(CommandLine command, String path) {
        if (!path.endsWith(command.getCommandName())) {
            return; // an alias: the same command once more
        }
        List<String> examples = OF.get(path);
        if (examples != null) {
            UsageMessageSpec usage = command.getCommandSpec().usageMessage();
            Stream<String> lines =
                    Stream.concat(Stream.of("%nExamples:"), examples.stream().map(e -> "  " + e.replace("%", "%%")));
            Stream<String> own = Stream.of(usage.footer()); // the exit status comes last, as everywhere
            usage.footer(Stream.concat(lines, own).toArray(String[]::new));
        }
        command.getSubcommands().forEach((name, below) -> addTo(below, path + " " + name));
    }
}
