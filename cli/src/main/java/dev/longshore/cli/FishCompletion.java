package dev.longshore.cli;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import picocli.CommandLine;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;

/** Completions for the fish shell, which picocli does not write (fish's complete(1)). */
final class FishCompletion {
    private FishCompletion() {}

    static String script(CommandSpec root) {
        List<String> lines = new ArrayList<>(List.of(
                "# longshore's commands and options, for fish",
                "function __longshore_at",
                "    set -l words (commandline -opc | string match -v -- '-*')",
                "    test \"$words[2..-1]\" = \"$argv\"",
                "end",
                "complete -c " + root.name() + " -f"));
        command(root, root.name(), "", lines);
        return String.join("\n", lines);
    }

    /** @param path the words behind the program's name that lead to {@code spec} */
    private static void command(CommandSpec spec, String program, String path, List<String> lines) {
        String at = "complete -c " + program + " -n " + quoted(("__longshore_at " + path).strip());
        for (OptionSpec option : spec.options()) {
            if (!option.hidden()) {
                lines.add(at + names(option) + " -d " + quoted(first(option.description())) + values(option));
            }
        }
        for (CommandLine sub :
                List.copyOf(new java.util.LinkedHashSet<>(spec.subcommands().values()))) {
            CommandSpec s = sub.getCommandSpec();
            if (!s.usageMessage().hidden()) {
                lines.add(at + " -a " + s.name() + " -d "
                        + quoted(first(s.usageMessage().description())));
                command(s, program, (path + " " + s.name()).strip(), lines);
            }
        }
    }

    private static String names(OptionSpec option) {
        StringBuilder text = new StringBuilder();
        for (String name : option.names()) {
            if (name.startsWith("--")) {
                text.append(" -l ").append(name.substring(2));
            } else {
                text.append(name.length() == 2 ? " -s " : " -o ").append(name.substring(1));
            }
        }
        return text.toString();
    }

    private static String values(OptionSpec option) {
        if (option.arity().max() == 0) {
            return "";
        }
        Iterable<String> candidates = option.completionCandidates();
        if (candidates == null) {
            return " -r";
        }
        List<String> words = new ArrayList<>();
        candidates.forEach(words::add);
        return " -x -a " + quoted(words.stream().collect(Collectors.joining(" ")));
    }

    /** The first sentence will do. */
    private static String first(String[] description) {
        String text = description.length == 0 ? "" : String.format(description[0]);
        return text.replace("${COMPLETION-CANDIDATES}", "")
                .replace("${DEFAULT-VALUE}", "")
                .strip();
    }

    private static String quoted(String word) {
        return "'" + word.replace("\\", "\\\\").replace("'", "\\'") + "'";
    }
}
