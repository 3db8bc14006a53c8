package dev.longshore.fileshare.share;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * How much a guest may make this process keep. Immutable.
 *
 * @param nodes inodes that the guest may know at once; more is ENOMEM
 * @param descriptors of inodes kept open between requests; beyond it the longest unused are closed and opened anew when needed
 * @param handles files and directories that the guest may have open at once; more is ENFILE
 */
public record Limits(int nodes, int descriptors, int handles) {
    private static final int NODES = 4_000_000;
    private static final int MAX_DESCRIPTORS = 10_000;
    private static final int LEAST = 64;

    public Limits {
        if (nodes < 1 || descriptors < 16 || handles < 1) {
            throw new IllegalArgumentException(
                    nodes + " nodes, " + descriptors + " descriptors, " + handles + " handles");
        }
    }

    /** A good part of the descriptors that this process may have (RLIMIT_NOFILE), leaving the others to its sockets. */
    public static Limits ofThisProcess() {
        long files = maxOpenFiles();
        return new Limits(
                NODES,
                Math.clamp(files * 4 / 10, LEAST, MAX_DESCRIPTORS),
                Math.clamp(files * 3 / 10, LEAST, 1_000_000));
    }

    /** The soft limit, which the JVM has raised to the hard one when it started. */
    private static long maxOpenFiles() {
        try {
            for (String line : Files.readAllLines(Path.of("/proc/self/limits"))) {
                if (line.startsWith("Max open files")) {
                    String soft =
                            line.substring("Max open files".length()).strip().split("\\s+", 2)[0];
                    return soft.equals("unlimited") ? 1_000_000 : Long.parseLong(soft);
                }
            }
        } catch (IOException | NumberFormatException e) {
            return 1024; // what every Linux gives
        }
        return 1024;
    }
}
