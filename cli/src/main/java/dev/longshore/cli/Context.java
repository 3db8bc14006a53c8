package dev.longshore.cli;

import dev.longshore.config.Home;
import dev.longshore.config.SettingsFiles;

/**
 * What every command needs. Immutable.
 *
 * @param files where settings come from
 */
record Context(Home home, SettingsFiles files, Terminal terminal, DaemonLauncher launcher) {}
