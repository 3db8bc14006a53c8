package dev.longshore.backend;

import dev.longshore.config.Home;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Sockets and the pid file of a daemon that is gone; only who holds the home's lock may remove them. */
final class Leftovers {
    private static final Logger LOG = LoggerFactory.getLogger(Leftovers.class);

    private Leftovers() {}

    static void remove(Home home) {
        for (Path socket : home.sockets()) {
            remove(socket);
        }
        remove(home.pidFile());
    }

    private static void remove(Path file) {
        try {
            if (Files.deleteIfExists(file)) {
                LOG.debug("removed {}", file);
            }
        } catch (IOException e) {
            LOG.warn("cannot remove {}: {}", file, e.toString());
        }
    }
}
