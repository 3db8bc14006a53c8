package dev.longshore.cli;

import dev.longshore.config.Version;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Longshore is built where it was cloned, so an update is what git brings. */
@Command(
        name = "update",
        mixinStandardHelpOptions = true,
        description = "Brings this copy of Longshore up to date with the repository that it was cloned from.",
        footer =
                "%nThe next start builds what is new. Exit status: 0 up to date, or a newer version can be had (-k); 1 failed.")
final class DesktopUpdate implements Callable<Integer> {
    private final Context context;

    @Option(
            names = {"-k", "--check-only"},
            description = "Only say whether there is a newer version.")
    private boolean checkOnly;

    @Option(
            names = {"-q", "--quiet"},
            description = "Say nothing but errors.")
    private boolean quiet;

    DesktopUpdate(Context context) {
        this.context = context;
    }

    @Override
    public Integer call() throws IOException, InterruptedException {
        Path root = context.launcher().root();
        if (!Files.exists(root.resolve(".git"))) {
            throw new CliException(root + " is no clone of a repository: update it as it was installed");
        }
        git(root, "fetch", "--quiet");
        int newer = Integer.parseInt(git(root, "rev-list", "--count", "HEAD..@{upstream}"));
        if (newer == 0) {
            say("Longshore " + Version.current() + " is already the latest version.");
        } else if (checkOnly) {
            say("There is a newer version (" + newer + (newer == 1 ? " change" : " changes")
                    + "); get it with: longshore desktop update");
        } else {
            git(root, "merge", "--ff-only", "--quiet", "@{upstream}");
            say("Updated by " + newer + (newer == 1 ? " change" : " changes") + "; use it with: longshore restart");
        }
        return ExitCode.OK;
    }

    private void say(String line) {
        if (!quiet) {
            context.terminal().result(line);
        }
    }

    private static String git(Path root, String... arguments) throws IOException, InterruptedException {
        List<String> line = new ArrayList<>(List.of("git", "-C", root.toString()));
        line.addAll(List.of(arguments));
        Process process = new ProcessBuilder(line)
                .redirectErrorStream(true)
                .redirectInput(Path.of("/dev/null").toFile())
                .start();
        String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
        if (process.waitFor() != 0) {
            throw new CliException("git " + String.join(" ", arguments) + " failed:\n" + out);
        }
        return out;
    }
}
