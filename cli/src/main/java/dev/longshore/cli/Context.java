package dev.longshore.cli;

import dev.longshore.config.Home;

/** What every command needs. Immutable. */
record Context(Home home, Terminal terminal, DaemonLauncher launcher) {}
