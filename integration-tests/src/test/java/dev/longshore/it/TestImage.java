package dev.longshore.it;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;

/** A container image made offline: static busybox with its applets, and {@code peer}, a small program of the tests. */
final class TestImage {
    static final String NAME = "longshore-test:1";

    /** A directory to build from: {@code rootfs/}, and a Dockerfile that adds it to nothing. */
    static Path makeContext(Path directory) throws IOException {
        Path bin = Files.createDirectories(directory.resolve("rootfs/bin"));
        for (String name : List.of("tmp", "etc", "proc", "sys", "dev", "www", "root")) {
            Files.createDirectories(directory.resolve("rootfs").resolve(name));
        }
        Path busybox = bin.resolve("busybox");
        Files.copy(busyboxOfHost(), busybox);
        for (String applet : Command.of(busybox.toString(), "--list")
                .run()
                .expectOk()
                .out()
                .lines()
                .toList()) {
            Path link = bin.resolve(applet);
            if (!Files.exists(link, LinkOption.NOFOLLOW_LINKS)) {
                Files.createSymbolicLink(link, Path.of("busybox"));
            }
        }
        compilePeer(directory, bin.resolve("peer"));
        Files.writeString(directory.resolve("rootfs/www/index.html"), "hello from the container\n");
        Files.writeString(directory.resolve("rootfs/etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n");
        Files.writeString(directory.resolve("Dockerfile"), """
                FROM scratch
                COPY rootfs /
                ENV PATH=/bin
                CMD ["sh"]
                """);
        return directory;
    }

    /** The program in a directory that {@link #makeContext} filled. */
    static Path peer(Path context) {
        return context.resolve("rootfs/bin/peer");
    }

    private static Path busyboxOfHost() {
        return Stream.of("/bin/busybox", "/usr/bin/busybox")
                .map(Path::of)
                .filter(Files::isExecutable)
                .findFirst()
                .orElseThrow(() -> new AssertionError("busybox-static is not installed"));
    }

    private static void compilePeer(Path directory, Path output) throws IOException {
        Path source = directory.resolve("peer.c");
        try (InputStream in = TestImage.class.getResourceAsStream("peer.c")) {
            Files.copy(Objects.requireNonNull(in, "peer.c"), source);
        }
        Command.of("gcc", "-O2", "-Wall", "-Wextra", "-Werror", "-static", "-o", output.toString(), source.toString())
                .run()
                .expectOk();
    }

    /** {@code docker build}, FROM scratch. */
    static void build(DockerCli docker, Path context) {
        docker.run("build", "-t", NAME, context.toString()).expectOk();
    }

    /** {@code docker import} of a tar, as another image. */
    static void importAs(DockerCli docker, Path context, String name) {
        Path tar = context.resolve("rootfs.tar");
        Command.of("tar", "-C", context.resolve("rootfs").toString(), "-cf", tar.toString(), ".")
                .run()
                .expectOk();
        docker.ok("import", "--change", "ENV PATH=/bin", "--change", "CMD [\"sh\"]", tar.toString(), name);
    }

    private TestImage() {}
}
