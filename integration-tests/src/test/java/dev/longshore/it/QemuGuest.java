package dev.longshore.it;

import dev.longshore.vm.image.GuestImage;
import dev.longshore.vm.image.GuestKernel;
import dev.longshore.vm.image.HostTools;
import dev.longshore.vm.image.ImageBuilder;
import dev.longshore.vm.image.ImageRecipe;
import dev.longshore.vm.image.Initramfs;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The smallest guest behind QEMU, its processor emulated: the image's kernel, busybox and a script; seconds to boot. Its
 * network cards are the caller's vhost-user sockets.
 */
final class QemuGuest implements AutoCloseable {
    private static final List<String> MODULES =
            List.of("net/core/failover", "drivers/net/net_failover", "drivers/net/virtio_net");
    private static final Pattern RELEASE = Pattern.compile("/(\\d+\\.[^/]+)/");

    private final Running qemu;

    /**
     * A card of the guest.
     *
     * @param socket where its back end listens
     * @param backendOptions of {@code -netdev vhost-user}, with a leading comma, or empty
     * @param cardOptions of {@code -device virtio-net-pci}, likewise
     */
    record Card(Path socket, String backendOptions, String cardOptions) {}

    private QemuGuest(Running qemu) {
        this.qemu = qemu;
    }

    /** Starts it; {@code script} runs as the first process, with busybox's commands, when the cards' driver is there. */
    static QemuGuest boot(Path directory, Path cache, List<Card> cards, String script) throws Exception {
        GuestImage image = new ImageBuilder(
                        cache, ImageRecipe.bundled(GuestKernel.CLOUD), HostTools.of(System.getenv()), _ -> {})
                .ensure();
        Path initrd = directory.resolve("initrd");
        initramfs(image, directory, script).writeTo(initrd);
        List<String> line = new ArrayList<>(
                List.of("qemu-system-x86_64", "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none"));
        line.addAll(List.of("-machine", "q35,memory-backend=mem"));
        line.addAll(List.of("-object", "memory-backend-memfd,id=mem,share=on,size=512M"));
        // One thread for both processors: with two, a kernel that patches its own code while the other one runs it
        // sometimes oopses.
        line.addAll(List.of("-accel", "tcg,thread=single", "-cpu", "max", "-smp", "2"));
        line.addAll(List.of("-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console"));
        line.addAll(List.of("-kernel", image.cloudKernel().toString(), "-initrd", initrd.toString()));
        line.addAll(
                List.of("-append", "console=ttyS0 quiet panic=-1 no_timer_check mitigations=off random.trust_cpu=on"));
        for (int i = 0; i < cards.size(); i++) {
            Card card = cards.get(i);
            // QEMU 7.2 without KVM crashes on the interrupt vectors of a vhost-user card.
            line.addAll(List.of("-chardev", "socket,id=c" + i + ",reconnect=1,path=" + card.socket));
            line.addAll(List.of("-netdev", "vhost-user,id=n" + i + ",chardev=c" + i + card.backendOptions));
            String mac = "02:4c:53:00:01:%02x".formatted(i);
            line.addAll(List.of(
                    "-device",
                    "virtio-net-pci,vectors=0,netdev=n" + i + ",addr=" + Integer.toHexString(0x10 + i) + ",mac=" + mac
                            + card.cardOptions));
        }
        return new QemuGuest(Command.of(line).start());
    }

    private static Initramfs initramfs(GuestImage image, Path directory, String script) throws IOException {
        String disk = image.rootFileSystem().toString();
        String list = Command.of("debugfs", "-R", "ls -p /usr/lib/modules", disk)
                .run()
                .expectOk()
                .out();
        Matcher release = RELEASE.matcher(list);
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
                .file("bin/busybox", Files.readAllBytes(Path.of("/bin/busybox")))
                .file("init", (init + script + "\nsync\nreboot -f\n").getBytes(StandardCharsets.UTF_8));
        for (String module : MODULES) {
            String name = Objects.toString(Path.of(module).getFileName());
            Path packed = directory.resolve(name + ".ko.xz");
            String path = "/usr/lib/modules/" + release.group(1) + "/kernel/" + module + ".ko.xz";
            Command.of("debugfs", "-R", "dump " + path + " " + packed, disk)
                    .run()
                    .expectOk();
            Command.of("xz", "-d", packed.toString()).run().expectOk();
            made.file(name + ".ko", Files.readAllBytes(directory.resolve(name + ".ko")));
        }
        return made;
    }

    /** Waits until the guest has printed {@code line} at the start of a line. */
    void awaitLine(String line, Duration limit) {
        Await.until("the guest says: " + line, limit, () -> hasSaid(line) || !qemu.isAlive(), this::console);
        if (!hasSaid(line)) {
            throw new AssertionError("the guest ended before it said: " + line + "\n" + console());
        }
    }

    private boolean hasSaid(String line) {
        return qemu.out().lines().anyMatch(line::equals);
    }

    /** Writes a line to the guest's console. */
    void type(String line) {
        qemu.type(line);
    }

    String console() {
        return qemu.out() + qemu.err();
    }

    @Override
    public void close() {
        qemu.close();
    }
}
