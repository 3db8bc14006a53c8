package dev.longshore.it;

import dev.longshore.vm.image.GuestImage;
import dev.longshore.vm.image.GuestKernel;
import dev.longshore.vm.image.Initramfs;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** What the smallest guests have in common: busybox, a script, the driver of the network card, a console to read. */
final class SmallGuest {
    private static final List<String> MODULES =
            List.of("net/core/failover", "drivers/net/net_failover", "drivers/net/virtio_net");
    private static final Pattern RELEASE = Pattern.compile("/(\\d+\\.[^/]+)/");

    private SmallGuest() {}

    /** The modules are those of {@code image}; {@code script} is the rest of the first process. */
    static Initramfs initramfs(GuestImage image, GuestKernel kernel, Path directory, String script) throws IOException {
        String disk = image.rootFileSystem().toString();
        Command.Result list = Command.of("debugfs", "-R", "ls -p /usr/lib/modules", disk)
                .run()
                .expectOk();
        Matcher release = RELEASE.matcher(list.out());
        if (!release.find()) {
            throw new AssertionError("no kernel release in " + list);
        }
        String init = """
                #!/bin/busybox sh
                /bin/busybox --install -s /bin
                export PATH=/bin
                mount -t proc proc /proc
                mount -t sysfs sysfs /sys
                mount -t devtmpfs devtmpfs /dev
                mount -t tmpfs tmpfs /tmp
                for m in failover net_failover virtio_net; do insmod /$m.ko; done
                ip link set lo up
                """;
        Initramfs made = new Initramfs()
                .directory("proc")
                .directory("sys")
                .directory("tmp")
                .directory("dev")
                .file("bin/busybox", Files.readAllBytes(Path.of("/bin/busybox")))
                .file("init", (init + script + "\nsync\nreboot -f\n").getBytes(StandardCharsets.UTF_8));
        String packed = kernel == GuestKernel.CLOUD ? ".ko.xz" : ".ko";
        for (String module : MODULES) {
            String name = Objects.toString(Path.of(module).getFileName());
            Path file = directory.resolve(name + packed);
            String path = "/usr/lib/modules/" + release.group(1) + "/kernel/" + module + packed;
            Command.of("debugfs", "-R", "dump " + path + " " + file, disk).run().expectOk();
            if (packed.endsWith(".xz")) {
                Command.of("xz", "-d", file.toString()).run().expectOk();
            }
            made.file(name + ".ko", Files.readAllBytes(directory.resolve(name + ".ko")));
        }
        return made;
    }

    /** Waits until the guest has printed {@code line} at the start of a line. */
    static void awaitLine(Running machine, String line, Duration limit) {
        Await.until(
                "the guest says: " + line,
                limit,
                () -> hasSaid(machine, line) || !machine.isAlive(),
                () -> console(machine));
        if (!hasSaid(machine, line)) {
            throw new AssertionError("the guest ended before it said: " + line + "\n" + console(machine));
        }
    }

    private static boolean hasSaid(Running machine, String line) {
        return machine.out().lines().anyMatch(line::equals);
    }

    static String console(Running machine) {
        return machine.out() + machine.err();
    }
}
