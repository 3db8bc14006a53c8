package dev.longshore.bench;

import dev.longshore.vm.image.Initramfs;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/** A way to a folder of this machine, running. One thread. */
interface FileContender extends AutoCloseable {
    int LIMIT_SECONDS = 900;
    int START_MS = 20_000;

    String name();

    /** Standard output of {@code fileload} there, with this much in its big file, and so many directories in its tree. */
    String load(String kind, int mib, int directories);

    /** What has to be said to read past the cache: of this folder itself O_DIRECT would ask the disk. */
    default String uncached() {
        return "direct";
    }

    @Override
    void close();

    /** The folder itself. */
    record Native(Path fileload, Path folder) implements FileContender {
        @Override
        public String name() {
            return "native";
        }

        @Override
        public String load(String kind, int mib, int directories) {
            return Commands.run(
                    LIMIT_SECONDS,
                    fileload.toString(),
                    kind,
                    folder.toString(),
                    Integer.toString(mib),
                    Integer.toString(directories));
        }

        @Override
        public String uncached() {
            return "plain";
        }

        @Override
        public void close() {
            // nothing is running
        }
    }

    /** A file server with this machine's kernel as its guest. */
    record DevFuse(String name, Path fileload, Process server, Path mounted) implements FileContender {
        /** FUSE_SUPER_MAGIC: Linux include/uapi/linux/magic.h. */
        private static final String MAGIC = "65735546";

        /** Of Debian's package libfuse3-dev. */
        private static final String EXAMPLE = "usr/share/doc/libfuse3-dev/examples/passthrough_ll.c";

        /** The product's. */
        static DevFuse longshore(Path lab, Path fileload, Path folder, int threads) throws IOException {
            Path target = Files.createDirectory(lab.resolve("mnt"));
            List<String> command = java(ShareFolder.class, folder, target, lab.resolve("state"));
            command.addAll(List.of("-threads", Integer.toString(threads)));
            return start(
                    "/dev/fuse",
                    command,
                    lab,
                    fileload,
                    target.resolve(Path.of("/").relativize(folder)));
        }

        /**
         * libfuse's example of a server in C that passes all on, with its defaults, and like ours with the kernel checking permissions: its
         * own default is that nobody does. Empty if it is not installed.
         */
        static Optional<DevFuse> libfuse(Path lab, Path fileload, Path folder, Peers peers) throws IOException {
            Path root =
                    peers.root().filter(r -> Files.exists(r.resolve(EXAMPLE))).orElse(Path.of("/"));
            if (!Files.exists(root.resolve(EXAMPLE))) {
                return Optional.empty();
            }
            Path program = lab.resolve("passthrough_ll");
            String _ = Commands.run(
                    60,
                    "gcc",
                    "-O2",
                    "-I" + root.resolve("usr/include/fuse3"),
                    "-o",
                    program.toString(),
                    root.resolve(EXAMPLE).toString(),
                    root.resolve("usr/lib/x86_64-linux-gnu/libfuse3.a").toString(),
                    "-lpthread",
                    "-ldl");
            Path target = Files.createDirectory(lab.resolve("libfuse"));
            return Optional.of(start(
                    "libfuse",
                    List.of(program.toString(), "-f", "-o", "default_permissions,source=" + folder, target.toString()),
                    lab,
                    fileload,
                    target));
        }

        private static DevFuse start(String name, List<String> command, Path lab, Path fileload, Path mounted)
                throws IOException {
            List<String> apart = new ArrayList<>(List.of("unshare", "-m"));
            apart.addAll(command);
            DevFuse started =
                    new DevFuse(name, fileload, Commands.start(Files.createTempFile(lab, "", ".log"), apart), mounted);
            Waiting.until(START_MS, "mount", started::isThere);
            return started;
        }

        private List<String> inside(String... command) {
            return Stream.concat(Stream.of("nsenter", "--mount=/proc/" + server.pid() + "/ns/mnt"), Stream.of(command))
                    .toList();
        }

        private boolean isThere() {
            try {
                String type = Commands.run(10, inside("stat", "-f", "-c", "%t", mounted.toString()));
                return type.strip().equals(MAGIC);
            } catch (BenchException e) {
                return false;
            }
        }

        @Override
        public String load(String kind, int mib, int directories) {
            return Commands.run(
                    LIMIT_SECONDS,
                    inside(
                            fileload.toString(),
                            kind,
                            mounted.toString(),
                            Integer.toString(mib),
                            Integer.toString(directories)));
        }

        @Override
        public void close() {
            Commands.end(server);
        }
    }

    /** A back end of vhost-user-fs, and a guest. */
    record InGuest(String name, Process server, Machine machine, String folder) implements FileContender {
        /** Which guest: User-mode Linux, or QEMU with an emulated processor. */
        enum Kind {
            UML,
            QEMU
        }

        /** virtio's number of file systems. */
        private static final int DEVICE = 26;

        /** The product's. */
        static InGuest longshore(Kind kind, Path lab, Path fileload, UmlKernel kernel, Path folder) throws IOException {
            Path socket = lab.resolve("longshore.sock");
            List<String> command =
                    new ArrayList<>(java(ShareToGuest.class, folder, socket, lab.resolve("guest-state")));
            command.add(Boolean.toString(kind == Kind.UML));
            return start(kind, "virtio-fs", command, lab, fileload, kernel, socket, "/mnt" + folder);
        }

        /** Empty if it is not installed. None goes with User-mode Linux, which asks the device for its tag. */
        static Optional<InGuest> virtiofsd(
                Kind kind, Path lab, Path fileload, UmlKernel kernel, Path folder, Peers peers) throws IOException {
            Path socket = lab.resolve("virtiofsd.sock");
            Optional<List<String>> command = peers.commandAt(
                    "usr/libexec/virtiofsd",
                    "--socket-path=" + socket,
                    "--shared-dir=" + folder,
                    "--tag=" + ShareToGuest.TAG,
                    "--xattr",
                    "--log-level=warn");
            return command.isEmpty()
                    ? Optional.empty()
                    : Optional.of(start(kind, "virtiofsd", command.get(), lab, fileload, kernel, socket, "/mnt"));
        }

        private static InGuest start(
                Kind kind,
                String name,
                List<String> command,
                Path lab,
                Path fileload,
                UmlKernel kernel,
                Path socket,
                String folder)
                throws IOException {
            Path dir = Files.createDirectory(lab.resolve(name));
            Process server = Commands.start(dir.resolve("log"), command);
            try {
                Waiting.until(START_MS, "socket of " + name, () -> Files.exists(socket) || !server.isAlive());
                if (!server.isAlive()) {
                    throw new BenchException(name + " has ended: " + Commands.read(dir.resolve("log")));
                }
                Path initrd = dir.resolve("initrd");
                files(kernel, fileload).writeTo(initrd);
                return new InGuest(
                        name,
                        server,
                        kind == Kind.UML
                                ? Machine.uml(kernel, initrd, dir, socket + ":" + DEVICE, dir.resolve("console"))
                                : Machine.qemu(
                                        kernel.program(), initrd, socket, ShareToGuest.TAG, dir.resolve("console")),
                        folder);
            } catch (BenchException e) {
                Commands.end(server);
                throw new BenchException(name + ": " + e.getMessage() + "\n" + Commands.read(dir.resolve("log"))
                        + Commands.read(dir.resolve("console")));
            }
        }

        private static Initramfs files(UmlKernel kernel, Path fileload) throws IOException {
            Initramfs made = new Initramfs();
            for (String directory : List.of("proc", "sys", "tmp", "dev", "mnt")) {
                made.directory(directory);
            }
            made.file("bin/busybox", Files.readAllBytes(UmlGuest.program("busybox")))
                    .file("bin/fileload", Files.readAllBytes(fileload))
                    .file("init", INIT.getBytes(StandardCharsets.UTF_8));
            for (Path module : kernel.modules()) {
                made.file(String.valueOf(module.getFileName()), Files.readAllBytes(module));
            }
            return made;
        }

        private static final String INIT = """
            #!/bin/busybox sh
            /bin/busybox --install -s /bin
            export PATH=/bin:/usr/bin
            mount -t proc proc /proc
            mount -t sysfs sysfs /sys
            mount -t devtmpfs devtmpfs /dev
            mount -t tmpfs tmpfs /tmp
            for m in fuse virtiofs; do [ ! -e /$m.ko ] || insmod /$m.ko; done
            mount -t virtiofs %s /mnt
            """.formatted(ShareToGuest.TAG) + Machine.LOOP;

        @Override
        public String load(String kind, int mib, int directories) {
            return machine.run(
                    LIMIT_SECONDS,
                    List.of("fileload", kind, folder, Integer.toString(mib), Integer.toString(directories)));
        }

        @Override
        public void close() {
            machine.close();
            Commands.end(server);
        }
    }

    private static List<String> java(Class<?> main, Path... arguments) {
        List<String> command = new ArrayList<>();
        ProcessHandle.current().info().command().ifPresent(command::add);
        command.addAll(List.of(
                "-Xmx512m",
                "--enable-native-access=ALL-UNNAMED",
                "-cp",
                System.getProperty("java.class.path", ""),
                main.getName()));
        Stream.of(arguments).map(Path::toString).forEach(command::add);
        return command;
    }
}
