package dev.longshore.it;

import dev.longshore.vm.image.GuestImage;
import dev.longshore.vm.image.GuestKernel;
import dev.longshore.vm.image.HostTools;
import dev.longshore.vm.image.ImageBuilder;
import dev.longshore.vm.image.ImageRecipe;
import java.nio.file.Path;
import java.time.Duration;

/** The smallest guest of User-mode Linux: the image's kernel, busybox, a script, and one card behind a vhost-user socket. */
final class UmlGuest implements AutoCloseable {
    private final Running uml;

    private UmlGuest(Running uml) {
        this.uml = uml;
    }

    /** Starts it; {@code script} runs as the first process, with busybox's commands, when the card's driver is there. */
    static UmlGuest boot(Path directory, Path cache, Path socket, String script) throws Exception {
        GuestImage image = new ImageBuilder(
                        cache, ImageRecipe.bundled(GuestKernel.UML), HostTools.of(System.getenv()), _ -> {})
                .ensure();
        Path initrd = directory.resolve("initrd");
        SmallGuest.initramfs(image, GuestKernel.UML, directory, script).writeTo(initrd);
        return new UmlGuest(Command.of(
                        "unshare", // else a process that is left may hold the card's socket
                        "--pid",
                        "--fork",
                        "--kill-child",
                        "--",
                        image.umlKernel().toString(),
                        "mem=256M",
                        "initrd=" + initrd,
                        "virtio_uml.device=" + socket + ":1", // 1 is virtio's number of network cards
                        "con=null",
                        "con0=null,fd:1",
                        "noreboot",
                        "quiet",
                        "uml_dir=" + directory,
                        "umid=uml")
                .with("TMPDIR", directory.toString())
                .start());
    }

    void awaitLine(String line, Duration limit) {
        SmallGuest.awaitLine(uml, line, limit);
    }

    String console() {
        return SmallGuest.console(uml);
    }

    @Override
    public void close() {
        uml.close();
    }
}
