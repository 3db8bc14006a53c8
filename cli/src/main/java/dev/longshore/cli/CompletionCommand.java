package dev.longshore.cli;

import java.util.concurrent.Callable;
import picocli.AutoComplete;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

@Command(
        name = "completion",
        mixinStandardHelpOptions = true,
        description = "A script by which a shell completes longshore's commands and options.",
        footer = {
            "%nExamples:",
            "  source <(longshore completion bash)",
            "  longshore completion zsh  > ~/.zsh-longshore && echo 'source ~/.zsh-longshore' >> ~/.zshrc",
            "  longshore completion fish > ~/.config/fish/completions/longshore.fish"
        })
final class CompletionCommand implements Callable<Integer> {
    /** The constants are as the user writes them. */
    @SuppressWarnings("MemberName") // picocli shows and reads the constants' own names
    private enum Shell {
        bash,
        zsh,
        fish
    }

    private final Context context;

    @Parameters(paramLabel = "SHELL", description = "${COMPLETION-CANDIDATES}")
    private Shell shell = Shell.bash;

    CompletionCommand(Context context) {
        this.context = context;
    }

    @Override
    public Integer call() {
        CommandLine line = LongshoreCommand.commandLine(context);
        context.terminal()
                .result(
                        switch (shell) {
                            case bash, zsh -> AutoComplete.bash("longshore", line);
                            case fish -> FishCompletion.script(line.getCommandSpec());
                        });
        return ExitCode.OK;
    }
}
