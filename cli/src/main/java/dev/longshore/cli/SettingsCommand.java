package dev.longshore.cli;

import dev.longshore.config.SettingsSchema;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(
        name = "settings",
        mixinStandardHelpOptions = true,
        description = {
            "The settings of this instance; without a subcommand, lists them.",
            "With a daemon, what holds there; without, what settings.json and the administrator's file say."
        },
        footer = {
            "%nExamples:",
            "  longshore settings list --format json",
            "  longshore settings get portBindingBehavior",
            "  longshore settings set portBindingBehavior local-only-port-binding",
            "  longshore settings set network.dnsServers 10.0.0.1,10.0.0.2",
            "  printf %%s \"$PROXY\" | longshore settings set proxy.http -   a password is no argument",
            "  longshore settings unset portBindingBehavior",
            "",
            "Exit status: 0 done, 1 refused or failed (an administrator's lock, a file that can't be used),",
            "2 wrong arguments (no such setting, no value of it)."
        })
final class SettingsCommand implements Callable<Integer> {
    private final Context context;

    private SettingsCommand(Context context) {
        this.context = context;
    }

    static CommandLine commandLine(Context context) {
        return new CommandLine(new SettingsCommand(context))
                .addSubcommand(new ListAll(context))
                .addSubcommand(new Get(context))
                .addSubcommand(new Set(context))
                .addSubcommand(new Unset(context))
                .addSubcommand(new Schema(context));
    }

    @Override
    public Integer call() {
        return new ListAll(context).call();
    }

    @Command(name = "list", mixinStandardHelpOptions = true, description = "All settings, with where each comes from.")
    static final class ListAll implements Callable<Integer> {
        private final Context context;

        @Option(names = "--format", description = "${COMPLETION-CANDIDATES} (default: ${DEFAULT-VALUE}).")
        private Format format = Format.text;

        ListAll(Context context) {
            this.context = context;
        }

        @Override
        public Integer call() {
            try (SettingsAccess access = SettingsAccess.open(context.home(), context.files())) {
                SettingsAccess.Listing listing = access.list();
                switch (format) {
                    case text -> SettingsText.table(listing.settings()).forEach(context.terminal()::result);
                    case json -> context.terminal().result(SettingsText.json(listing.settings()));
                }
                listing.problems().forEach(p -> context.terminal().say("problem: " + p));
                listing.warnings().forEach(w -> context.terminal().say("note: " + w));
            }
            return ExitCode.OK;
        }
    }

    @Command(
            name = "get",
            mixinStandardHelpOptions = true,
            description = "One setting: its value; with json, all about it.")
    static final class Get implements Callable<Integer> {
        private final Context context;

        @Parameters(paramLabel = "KEY", description = "Any name of a setting; settings list shows them.")
        private String key = "";

        @Option(names = "--format", description = "${COMPLETION-CANDIDATES} (default: ${DEFAULT-VALUE}).")
        private Format format = Format.text;

        Get(Context context) {
            this.context = context;
        }

        @Override
        public Integer call() {
            try (SettingsAccess access = SettingsAccess.open(context.home(), context.files())) {
                SettingRow setting = access.get(key);
                context.terminal()
                        .result(
                                switch (format) {
                                    case text -> SettingsText.plain(setting.valueJson());
                                    case json -> SettingsText.json(setting);
                                });
            }
            return ExitCode.OK;
        }
    }

    @Command(
            name = "set",
            mixinStandardHelpOptions = true,
            description = "Sets one setting in settings.json; all else that is in the file stays as it is.")
    static final class Set implements Callable<Integer> {
        private final Context context;

        @Parameters(index = "0", paramLabel = "KEY", description = "Any name of a setting.")
        private String key = "";

        @Parameters(
                index = "1",
                paramLabel = "VALUE",
                description = "true, 1500, dual-stack, a,b or [\"a\",\"b\"]; - reads it from standard input.")
        private String value = "";

        @Option(names = "--format", description = "${COMPLETION-CANDIDATES} (default: ${DEFAULT-VALUE}).")
        private Format format = Format.text;

        Set(Context context) {
            this.context = context;
        }

        @Override
        public Integer call() throws IOException {
            String text = value.equals("-") ? lines(System.in) : value;
            try (SettingsAccess access = SettingsAccess.open(context.home(), context.files())) {
                report(context.terminal(), access.set(key, text), format);
            }
            return ExitCode.OK;
        }

        private static String lines(InputStream in) throws IOException {
            try (BufferedReader reader = new BufferedReader(new InputStreamReader(in, StandardCharsets.UTF_8))) {
                return reader.lines().collect(Collectors.joining("\n"));
            }
        }
    }

    @Command(
            name = "unset",
            mixinStandardHelpOptions = true,
            description =
                    "Takes one setting out of settings.json: its default counts, or an administrator's suggestion.")
    static final class Unset implements Callable<Integer> {
        private final Context context;

        @Parameters(paramLabel = "KEY", description = "Any name of a setting.")
        private String key = "";

        @Option(names = "--format", description = "${COMPLETION-CANDIDATES} (default: ${DEFAULT-VALUE}).")
        private Format format = Format.text;

        Unset(Context context) {
            this.context = context;
        }

        @Override
        public Integer call() {
            try (SettingsAccess access = SettingsAccess.open(context.home(), context.files())) {
                report(context.terminal(), access.unset(key), format);
            }
            return ExitCode.OK;
        }
    }

    @Command(name = "schema", mixinStandardHelpOptions = true, description = "The JSON schema of settings.json.")
    static final class Schema implements Callable<Integer> {
        private final Context context;

        @Option(names = "--admin", description = "Of an administrator's admin-settings.json instead.")
        private boolean admin;

        Schema(Context context) {
            this.context = context;
        }

        @Override
        public Integer call() {
            context.terminal().result((admin ? SettingsSchema.admin() : SettingsSchema.user()).stripTrailing());
            return ExitCode.OK;
        }
    }

    /** What is different now to standard output, what is to be known about it to standard error. */
    private static void report(Terminal terminal, SettingsAccess.Change change, Format format) {
        switch (format) {
            case json -> terminal.result(SettingsText.json(change.all()));
            case text -> {
                for (SettingRow s : change.all()) {
                    terminal.result(s.key() + " = " + SettingsText.plain(s.valueJson()));
                }
                for (SettingRow s : change.all()) {
                    terminal.say(s.key() + ": " + whenItCounts(s, change.running()));
                }
            }
        }
        change.notes().forEach(n -> terminal.say("note: " + n));
    }

    private static String whenItCounts(SettingRow setting, boolean running) {
        boolean restart = setting.effect().equals("guest restart");
        return String.format(
                Locale.ROOT, "%s%s", setting.effectText(), running && restart ? " (longshore restart)" : "");
    }
}
