package dev.longshore.bench;

import java.nio.file.Path;
import picocli.CommandLine;
import picocli.CommandLine.Command;

/** {@code ./longshore bench}: the launcher says where it is by the property {@code longshore.launcher}. */
@Command(name = "bench", mixinStandardHelpOptions = true, description = "Measures Longshore beside its peers.")
public final class Main {
    private Main() {}

    public static void main(String[] arguments) {
        Path launcher = Path.of(System.getProperty("longshore.launcher", "longshore"));
        int status = new CommandLine(new Main())
                .addSubcommand(new NetBench(System.out, launcher))
                .addSubcommand(new StartBench(System.out, launcher))
                .addSubcommand(new ApiBench(System.out, launcher))
                .addSubcommand(new ProxyBench(System.out))
                .addSubcommand(new DnsBench(System.out, launcher))
                .addSubcommand(new FilesBench(System.out))
                .addSubcommand(new Soak(System.out, launcher))
                .setExecutionExceptionHandler((e, command, parsed) -> {
                    if (e instanceof BenchException) {
                        System.err.println("bench: " + e.getMessage());
                        return 1;
                    }
                    throw e;
                })
                .execute(arguments);
        System.exit(status);
    }
}
