package dev.longshore.cli;

import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;

/** Longshore has no cluster of its own, and says so. */
@Command(
        name = "kubernetes",
        mixinStandardHelpOptions = true,
        description = "Docker Desktop's cluster, which Longshore has not.")
final class DesktopKubernetes implements Callable<Integer> {
    private DesktopKubernetes() {}

    /** Whatever is asked of it. */
    static CommandLine commandLine() {
        return new CommandLine(new DesktopKubernetes()).setUnmatchedArgumentsAllowed(true);
    }

    @Override
    public Integer call() {
        throw new CliException("Longshore has no Kubernetes cluster; kind and k3d make one in containers");
    }
}
