package dev.longshore.backend;

import dev.longshore.config.Home;
import dev.longshore.config.SettingsFiles;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;

/**
 * This program's own directories, which no container gets: with its settings, its sockets or the guest's image a container could share
 * the whole host with itself. Immutable; looks at the file system, which may be slow.
 *
 * @param directories absolute and normalized; they need not be there
 * @param run among them: our sockets
 * @param dockerSocket one of those, and to be had all the same: what containers ask there is judged
 */
record OwnFiles(List<Path> directories, Path run, Path dockerSocket) {
    OwnFiles {
        directories = List.copyOf(directories);
    }

    static OwnFiles of(Home home) {
        Path administrators = Objects.requireNonNull(SettingsFiles.ADMIN_FILE.getParent());
        return new OwnFiles(
                Stream.of(home.state(), home.run(), home.log(), home.cache(), administrators)
                        .map(Path::normalize)
                        .filter(d -> d.getNameCount() > 0)
                        .distinct()
                        .toList(),
                home.run(),
                home.dockerSocket());
    }

    /** Those that are in no other of them. */
    List<Path> outermost() {
        return directories.stream()
                .filter(d -> directories.stream().noneMatch(o -> !o.equals(d) && d.startsWith(o)))
                .toList();
    }

    /** True if {@code real}, without links, is one of these directories or in one. */
    boolean hold(Path real) {
        return directories.stream().anyMatch(d -> real.startsWith(d) || real.startsWith(realOrSame(d)));
    }

    /** True if the socket at {@code real}, without links, is ours and none that containers may have. */
    boolean holdSocket(Path real) {
        Path there = realOrSame(run);
        return (real.startsWith(run) || real.startsWith(there))
                && !real.equals(dockerSocket)
                && !real.equals(there.resolve(String.valueOf(dockerSocket.getFileName())));
    }

    /** For whoever wants to mount one. */
    String reason(Path real) {
        return real
                + " is among Longshore's own files, with which a container could give itself all others: they are never shared.";
    }

    private static Path realOrSame(Path directory) {
        try {
            return directory.toRealPath();
        } catch (IOException e) {
            return directory;
        }
    }
}
