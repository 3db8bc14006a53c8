package dev.longshore.cli;

import dev.longshore.proto.control.v1.ListSharedFoldersReply;
import dev.longshore.proto.control.v1.ListSharedFoldersRequest;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

@Command(
        name = "files",
        mixinStandardHelpOptions = true,
        description = "The host's folders that containers may mount; without a subcommand, lists them.",
        footer = {
            "%nExamples:",
            "  longshore files ls                                       shared folders, and which containers have them",
            "  longshore files ls --format json | jq .figures           what the file server did",
            "  longshore settings set filesharingDirectories '$HOME,/srv/data'   share these, and no others"
        })
final class FilesCommand implements Callable<Integer> {
    private final Context context;

    private FilesCommand(Context context) {
        this.context = context;
    }

    static CommandLine commandLine(Context context) {
        return new CommandLine(new FilesCommand(context)).addSubcommand(new Ls(context));
    }

    @Override
    public Integer call() {
        return new Ls(context).call();
    }

    @Command(
            name = "ls",
            mixinStandardHelpOptions = true,
            description =
                    "Lists shared folders, the containers that have mounted something of them, and what was done.",
            footer = {"%nExamples:", "  longshore files ls", "  longshore files ls --format json"})
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
                ListSharedFoldersReply reply =
                        client.files().listSharedFolders(ListSharedFoldersRequest.getDefaultInstance());
                switch (format) {
                    case text -> FilesText.lines(reply).forEach(context.terminal()::result);
                    case json -> context.terminal().result(FilesText.json(reply));
                }
            }
            return ExitCode.OK;
        }
    }
}
