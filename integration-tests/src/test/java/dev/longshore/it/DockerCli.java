package dev.longshore.it;

import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** The ordinary {@code docker} command on an Engine's socket. Immutable. */
record DockerCli(String host, Path config) {
    private static final Duration LIMIT = Duration.ofSeconds(90);

    /** A command line still to be run. */
    Command command(String... arguments) {
        List<String> line = new ArrayList<>(List.of("docker"));
        line.addAll(List.of(arguments));
        return Command.of(line)
                .with(Map.of("DOCKER_HOST", host, "DOCKER_CONFIG", config.toString(), "DOCKER_BUILDKIT", "0"))
                .within(LIMIT)
                .explaining(() -> HangReport.of(host));
    }

    Command.Result run(String... arguments) {
        return command(arguments).run();
    }

    /** Standard output of a run that must succeed. */
    String ok(String... arguments) {
        return run(arguments).expectOk().text();
    }

    Running start(String... arguments) {
        return command(arguments).start();
    }

    /** Runs a shell command in a new container of the test image and returns its output. */
    String sh(String script) {
        return ok("run", "--rm", TestImage.NAME, "sh", "-c", script);
    }

    /** Removes containers, running or not; no error if there are none. */
    void remove(String... names) {
        List<String> line = new ArrayList<>(List.of("rm", "-f", "-v"));
        line.addAll(List.of(names));
        run(line.toArray(String[]::new));
    }
}
