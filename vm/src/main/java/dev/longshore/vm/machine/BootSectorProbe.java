package dev.longshore.vm.machine;

import dev.longshore.vm.image.HostTools;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Boots a guest of one sector under KVM, on the machine and processor that real guests get. A device node is no proof: in
 * nested and locked-down hosts {@code /dev/kvm} can be opened and no guest starts, or starts and crawls.
 * The answer is kept until the host boots again. Thread-safe: without mutable state but that file.
 */
public final class BootSectorProbe implements KvmProbe {
    private static final Logger LOG = LoggerFactory.getLogger(BootSectorProbe.class);

    /** A real KVM takes a fraction of a second; one that needs longer is not worth having. */
    private static final int LIMIT_SECONDS = 4;

    /** What the sector writes to the exit device; QEMU's exit code is twice that plus one. */
    private static final int WORD = 0x21;

    /** {@code mov dx, 0x501; mov al, WORD; out dx, al; hlt; jmp hlt}, in 16-bit code. */
    private static final byte[] CODE = {
        (byte) 0xba, 0x01, 0x05, (byte) 0xb0, WORD, (byte) 0xee, (byte) 0xf4, (byte) 0xeb, (byte) 0xfd
    };

    private static final int SECTOR_BYTES = 512;

    private final Path answers;
    private final Path kvmDevice;
    private final Path bootId;
    private final HostTools tools;

    /** @param cache where the answer is kept */
    public BootSectorProbe(Path cache, HostTools tools) {
        this(cache.resolve("kvm"), Path.of("/dev/kvm"), Path.of("/proc/sys/kernel/random/boot_id"), tools);
    }

    BootSectorProbe(Path answers, Path kvmDevice, Path bootId, HostTools tools) {
        this.answers = answers;
        this.kvmDevice = kvmDevice;
        this.bootId = bootId;
        this.tools = tools;
    }

    @Override
    public boolean boots(Path qemu) throws InterruptedException {
        if (!Files.isReadable(kvmDevice) || !Files.isWritable(kvmDevice)) {
            return false;
        }
        try {
            String question = Files.readString(bootId).trim() + " " + qemu + " "
                    + Files.getLastModifiedTime(qemu).toMillis() + " ";
            if (Files.exists(answers)) {
                String answer = Files.readString(answers);
                if (answer.startsWith(question)) {
                    return answer.substring(question.length()).trim().equals("boots");
                }
            }
            boolean boots = run(qemu);
            Files.createDirectories(Objects.requireNonNull(answers.getParent()));
            Files.writeString(answers, question + (boots ? "boots" : "fails"));
            return boots;
        } catch (IOException e) {
            LOG.warn("KVM can't be tried: {}", e.toString());
            return false;
        }
    }

    private boolean run(Path qemu) throws IOException, InterruptedException {
        byte[] sector = new byte[SECTOR_BYTES];
        System.arraycopy(CODE, 0, sector, 0, CODE.length);
        sector[SECTOR_BYTES - 2] = 0x55; // the mark of a boot sector
        sector[SECTOR_BYTES - 1] = (byte) 0xaa;
        Path disk = Files.createTempFile("longshore-kvm-", ".img");
        try {
            Files.write(disk, sector);
            List<String> output = new ArrayList<>();
            int code = tools.run(command(qemu, disk), Map.of(), output::add);
            boolean boots = code == WORD * 2 + 1;
            LOG.info(
                    "KVM {}",
                    boots
                            ? "boots guests"
                            : "is there but boots no guest: exit code " + code + " " + String.join(" ", output));
            return boots;
        } finally {
            Files.delete(disk);
        }
    }

    private static List<String> command(Path qemu, Path disk) {
        return List.of(
                "timeout",
                "--signal=KILL",
                String.valueOf(LIMIT_SECONDS),
                qemu.toString(),
                "-nodefaults",
                "-no-user-config",
                "-no-reboot",
                "-display",
                "none",
                "-machine",
                "q35",
                "-accel",
                "kvm",
                "-cpu",
                "host",
                "-m",
                "64",
                "-device",
                "isa-debug-exit,iobase=0x501,iosize=1",
                "-device",
                "isa-fdc",
                "-drive",
                "if=none,id=disk,format=raw,file=" + disk,
                "-device",
                "floppy,drive=disk");
    }
}
