package dev.longshore.vm.image;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;

/** Shell scripts in the place of the host's programs; the usual ones succeed and write what the real ones would. */
final class FakeTools {
    private final Path directory;

    FakeTools(Path directory) throws IOException {
        this.directory = Files.createDirectories(directory);
        put("mke2fs", "exit 0");
        put("strip", "exit 0");
        put("gcc", "while [ $# -gt 0 ]; do [ \"$1\" = -o ] && echo agent > \"$2\"; shift; done");
        put("setpriv", "while [ \"$1\" != -- ]; do shift; done; shift; exec \"$@\"");
        put("unshare", "while [ \"$1\" != -- ]; do shift; done; shift; exec \"$@\"");
        put("mmdebstrap", """
                echo run >> "$(dirname "$0")/mmdebstrap.runs"
                echo "$*" > "$(dirname "$0")/mmdebstrap.arguments"
                [ -f "$LONGSHORE_RECIPE/longshore-agent" ] || exit 9
                [ -f "$LONGSHORE_RECIPE/customize.sh" ] || exit 9
                echo "I: downloading packages with apt..."
                echo "longshore-step: writing the root file system"
                echo root > "$LONGSHORE_OUT/rootfs.ext4"
                echo loader > "$LONGSHORE_OUT/ld.so"
                echo library > "$LONGSHORE_OUT/libc.so.6"
                printf 'docker.io 26.1.5\\nuser-mode-linux 6.12um1\\n' > "$LONGSHORE_OUT/packages.txt"
                printf '#!/bin/sh\\necho 6.12\\n' > "$LONGSHORE_OUT/linux"
                """);
    }

    /** Before the real programs, of which only the basic ones are needed. */
    HostTools tools() {
        return new HostTools(List.of(directory, Path.of("/usr/bin"), Path.of("/bin")));
    }

    /** Without the real ones. */
    HostTools only() {
        return new HostTools(List.of(directory));
    }

    void put(String name, String script) throws IOException {
        Path file = directory.resolve(name);
        Files.writeString(file, "#!/bin/sh\n" + script + "\n");
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwxr-xr-x"));
    }

    void remove(String name) throws IOException {
        Files.delete(directory.resolve(name));
    }

    int runs(String name) throws IOException {
        Path file = directory.resolve(name + ".runs");
        return Files.exists(file) ? Files.readAllLines(file).size() : 0;
    }

    String arguments(String name) throws IOException {
        return Files.readString(directory.resolve(name + ".arguments"));
    }
}
