package dev.longshore.it;

import dev.longshore.vm.image.GuestImage;
import dev.longshore.vm.image.GuestKernel;
import dev.longshore.vm.image.HostTools;
import dev.longshore.vm.image.ImageBuilder;
import dev.longshore.vm.image.ImageRecipe;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * The smallest guest behind QEMU, its processor emulated: the image's kernel, busybox and a script; seconds to boot. Its
 * network cards are the caller's vhost-user sockets.
 */
final class QemuGuest implements AutoCloseable {
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
        SmallGuest.initramfs(image, GuestKernel.CLOUD, directory, script).writeTo(initrd);
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

    /** Waits until the guest has printed {@code line} at the start of a line. */
    void awaitLine(String line, Duration limit) {
        SmallGuest.awaitLine(qemu, line, limit);
    }

    /** Writes a line to the guest's console. */
    void type(String line) {
        qemu.type(line);
    }

    String console() {
        return SmallGuest.console(qemu);
    }

    @Override
    public void close() {
        qemu.close();
    }
}
