package dev.longshore.cli;

import dev.longshore.cli.docker.DockerContext;
import dev.longshore.cli.docker.DockerDirectory;
import dev.longshore.config.Home;
import dev.longshore.config.SettingsFiles;

/**
 * What every command needs. Immutable.
 *
 * @param files where settings come from
 * @param docker of the user's docker command
 */
record Context(Home home, SettingsFiles files, DockerDirectory docker, Terminal terminal, DaemonLauncher launcher) {
    /** The one that leads to this instance. */
    DockerContext dockerContext() {
        return new DockerContext(docker, home.dockerHost());
    }
}
