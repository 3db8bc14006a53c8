package dev.longshore.cli;

import dev.longshore.proto.control.v1.FileAccess;
import dev.longshore.proto.control.v1.ListSharedFoldersReply;
import dev.longshore.proto.control.v1.ListSharedFoldersRequest;
import dev.longshore.proto.control.v1.WatchFileAccessesReply;
import dev.longshore.proto.control.v1.WatchFileAccessesRequest;
import java.nio.file.Path;
import java.util.Iterator;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
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
            "  longshore files log --under ~/src                        what containers do there, as they do it",
            "  longshore settings set filesharingDirectories '$HOME,/srv/data'   share these, and no others"
        })
final class FilesCommand implements Callable<Integer> {
    private final Context context;

    private FilesCommand(Context context) {
        this.context = context;
    }

    static CommandLine commandLine(Context context) {
        return new CommandLine(new FilesCommand(context))
                .addSubcommand(new Ls(context))
                .addSubcommand(new Log(context));
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

    @Command(
            name = "log",
            mixinStandardHelpOptions = true,
            description = {
                "Shows what containers do to the host's files, as they do it, until interrupted: opening, closing with the bytes that"
                        + " were read and written, making, renaming, removing, changing attributes; and what was refused.",
                "What the guest answers from its own caches never reaches the host's files, and is not shown."
            },
            footer = {
                "%nExamples:",
                "  longshore files log",
                "  longshore files log --under ~/src",
                "  longshore files log --format json | jq -r 'select(.kind == \"open-to-write\").path'"
            })
    static final class Log implements Callable<Integer> {
        private final Context context;

        @Option(names = "--under", paramLabel = "PATH", description = "Only what is this file or folder, or below it.")
        private @Nullable Path under;

        @Option(names = "--format", description = "${COMPLETION-CANDIDATES} (default: ${DEFAULT-VALUE}).")
        private Format format = Format.text;

        Log(Context context) {
            this.context = context;
        }

        @Override
        public Integer call() {
            String path =
                    under == null ? "" : under.toAbsolutePath().normalize().toString();
            try (ControlClient client = ControlClient.require(context.home())) {
                Iterator<WatchFileAccessesReply> replies = client.watchFiles(
                        WatchFileAccessesRequest.newBuilder().setUnder(path).build());
                while (replies.hasNext()) {
                    show(replies.next());
                }
            }
            context.terminal().say("The guest has ended.");
            return ExitCode.OK;
        }

        private void show(WatchFileAccessesReply reply) {
            for (FileAccess access : reply.getAccessesList()) {
                context.terminal()
                        .result(
                                switch (format) {
                                    case text -> FileAccessText.line(access);
                                    case json -> FileAccessText.json(access);
                                });
            }
            if (reply.getLost() > 0) {
                context.terminal().say(reply.getLost() + " accesses are missing here: there were too many at once");
            }
        }
    }
}
