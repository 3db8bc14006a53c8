package dev.longshore.bench;

import dev.longshore.vm.image.GuestImage;
import dev.longshore.vm.image.GuestKernel;
import dev.longshore.vm.image.HostTools;
import dev.longshore.vm.image.ImageBuilder;
import dev.longshore.vm.image.ImageException;
import dev.longshore.vm.image.ImageRecipe;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * A kernel of User-mode Linux that runs on this host, and the drivers of its network card and of virtio-fs. Immutable.
 *
 * @param program to start it
 * @param description for the user
 * @param modules files in the order in which they are loaded
 */
record UmlKernel(Path program, String description, List<Path> modules) {
    private static final List<String> MODULES = List.of(
            "net/core/failover",
            "drivers/net/net_failover",
            "drivers/net/virtio_net",
            "fs/fuse/fuse",
            "fs/fuse/virtiofs");
    private static final Pattern RELEASE = Pattern.compile("/(\\d+\\.[^/]+)/");

    /**
     * The one of {@code peers} if there is one, else that of the product's image: all contenders get the same, and not all can do
     * with the product's.
     *
     * @param cache where images are
     * @param dir for what is unpacked
     */
    static UmlKernel choose(Peers peers, Path cache, Path dir) {
        try {
            Path unpacked = Files.createDirectories(dir.resolve("kernel"));
            Path modules =
                    peers.root().map(r -> r.resolve("usr/lib/uml/modules")).orElse(unpacked);
            Path program = peers.root().map(r -> r.resolve("usr/bin/linux.uml")).orElse(unpacked);
            if (Files.isRegularFile(program)) {
                return ofPeers(peers.root().orElseThrow(), program, modules, unpacked);
            }
            return ofImage(GuestKernel.UML, cache, unpacked);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (ImageException e) {
            throw new BenchException("no guest image: " + e.getMessage());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new BenchException("interrupted");
        }
    }

    private static UmlKernel ofPeers(Path root, Path program, Path releases, Path unpacked) throws IOException {
        Path release;
        try (Stream<Path> all = Files.list(releases)) {
            release = all.findFirst().orElseThrow(() -> new BenchException("no modules in " + releases));
        }
        // With the C library of its own release: it may want a newer one than the host's. Its loader can't be called by
        // name,
        // since the kernel's address space begins where the program was loaded.
        Path fitted = Files.copy(program, unpacked.resolve("linux"));
        Commands.run(
                20,
                "patchelf",
                "--set-interpreter",
                root.resolve("usr/lib64/ld-linux-x86-64.so.2").toRealPath().toString(),
                "--set-rpath",
                root.resolve("usr/lib/x86_64-linux-gnu").toRealPath().toString(),
                fitted.toString());
        List<Path> modules = MODULES.stream()
                .map(m -> release.resolve("kernel/" + m + ".ko"))
                .toList();
        return new UmlKernel(fitted, "User-mode Linux " + release.getFileName() + " of the peers' directory", modules);
    }

    /** Debian's kernel for clouds, of the product's image, for QEMU. */
    static UmlKernel forQemu(Path cache, Path dir) {
        try {
            return ofImage(GuestKernel.CLOUD, cache, Files.createDirectories(dir.resolve("kernel")));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (ImageException e) {
            throw new BenchException("no guest image: " + e.getMessage());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new BenchException("interrupted");
        }
    }

    private static UmlKernel ofImage(GuestKernel kind, Path cache, Path unpacked)
            throws IOException, ImageException, InterruptedException {
        GuestImage image = new ImageBuilder(
                        cache,
                        ImageRecipe.bundled(kind),
                        HostTools.of(System.getenv()),
                        line -> System.err.println("guest image: " + line))
                .ensure();
        String disk = image.rootFileSystem().toString();
        Matcher release = RELEASE.matcher(Commands.run(20, "debugfs", "-R", "ls -p /usr/lib/modules", disk));
        if (!release.find()) {
            throw new BenchException("no modules in " + disk);
        }
        String packed = kind == GuestKernel.CLOUD ? ".xz" : "";
        Map<String, Path> modules = new LinkedHashMap<>();
        for (String module : MODULES) {
            Path file = unpacked.resolve(module.substring(module.lastIndexOf('/') + 1) + ".ko");
            String path = "/usr/lib/modules/" + release.group(1) + "/kernel/" + module + ".ko" + packed;
            String _ = Commands.run(20, "debugfs", "-R", "dump " + path + " " + file + packed, disk);
            if (!Files.exists(Path.of(file + packed))) {
                continue; // the kernel has it without a module
            }
            if (!packed.isEmpty()) {
                String _ = Commands.run(20, "xz", "-d", file + packed);
            }
            modules.put(module, file);
        }
        boolean uml = kind == GuestKernel.UML;
        return new UmlKernel(
                uml ? image.umlKernel() : image.cloudKernel(),
                (uml ? "User-mode Linux " : "Linux for QEMU ") + release.group(1) + " of the product's image",
                List.copyOf(modules.values()));
    }
}
