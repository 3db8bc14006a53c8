package dev.longshore.cli.docker;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.JsonNodeFactory;

/**
 * The command {@code docker desktop}, as a plugin of the {@code docker} command: a script in its directory of plugins that runs
 * our launcher. It tells docker about itself without starting a JVM, since docker asks every plugin whenever it shows its help.
 */
public final class DockerPlugin {
    public static final String NAME = "desktop";

    /** Tells our script from a plugin of somebody else. */
    private static final String MARK = "made by: longshore plugin install";

    private final DockerDirectory docker;

    public DockerPlugin(DockerDirectory docker) {
        this.docker = docker;
    }

    public Path file() {
        return docker.plugin(NAME);
    }

    /** True if the plugin that is there is ours. */
    public boolean isInstalled() {
        try {
            return Files.exists(file()) && Files.readString(file()).contains(MARK);
        } catch (IOException e) { // of which a binary that is no text is one
            return false;
        }
    }

    /** True if there is a plugin of that name, and it is not ours. */
    public boolean isTaken() {
        return Files.exists(file()) && !isInstalled();
    }

    /**
     * Writes the script, over an older one of ours.
     *
     * @param home the instance it is for unless LONGSHORE_HOME says another; empty for the user's own
     */
    public void install(Path launcher, String home, String version) throws IOException {
        DockerDirectory.write(file(), script(launcher, home, version));
        Files.setPosixFilePermissions(file(), PosixFilePermissions.fromString("rwxr-xr-x"));
    }

    public void uninstall() throws IOException {
        Files.deleteIfExists(file());
    }

    private static String script(Path launcher, String home, String version) {
        String metadata = new JsonMapper()
                .writeValueAsString(JsonNodeFactory.instance
                        .objectNode()
                        .put("SchemaVersion", "0.1.0")
                        .put("Vendor", "Longshore")
                        .put("Version", version)
                        .put("ShortDescription", "Longshore"));
        String instance =
                home.isEmpty() ? "" : "LONGSHORE_HOME=${LONGSHORE_HOME:-" + quoted(home) + "}\nexport LONGSHORE_HOME\n";
        return "#!/bin/sh\n# The command 'docker desktop' for Longshore; " + MARK + "\n"
                + "case ${1:-} in docker-cli-plugin-metadata) printf '%s\\n' " + quoted(metadata) + "; exit ;; esac\n"
                + instance + "exec " + quoted(launcher.toString()) + " docker-plugin \"$@\"\n";
    }

    private static String quoted(String word) {
        return "'" + word.replace("'", "'\\''") + "'";
    }
}
