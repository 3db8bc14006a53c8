package dev.longshore.vm.image;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashSet;
import java.util.Set;

/**
 * Writes an initial file system for a kernel: a cpio archive of the "newc" form, as in the kernel's
 * Documentation/driver-api/early-userspace/buffer-format.rst. Everything belongs to root. Confined to one thread.
 */
public final class Initramfs {
    private static final int DIRECTORY = 0040755;
    private static final int PROGRAM = 0100755;
    private static final int CONSOLE = 0020600;
    private static final int CONSOLE_MAJOR = 5;
    private static final int CONSOLE_MINOR = 1;
    private static final int ALIGNMENT = 4;

    private final ByteArrayOutputStream archive = new ByteArrayOutputStream();
    private final Set<String> names = new LinkedHashSet<>();

    /** With {@code /dev/console}, without which the first process has no output. */
    public Initramfs() {
        parents("dev/console");
        entry("dev/console", CONSOLE, CONSOLE_MAJOR, CONSOLE_MINOR, new byte[0]);
    }

    /** An executable file, its directories before it; no leading slash. */
    public Initramfs file(String name, byte[] content) {
        parents(name);
        entry(name, PROGRAM, 0, 0, content);
        return this;
    }

    public Initramfs directory(String name) {
        parents(name + "/");
        return this;
    }

    /** Ends the archive and writes it. */
    public void writeTo(Path file) throws IOException {
        entry("TRAILER!!!", 0, 0, 0, new byte[0]);
        try (OutputStream out = Files.newOutputStream(file)) {
            archive.writeTo(out);
        }
    }

    private void parents(String name) {
        for (int slash = name.indexOf('/'); slash > 0; slash = name.indexOf('/', slash + 1)) {
            String parent = name.substring(0, slash);
            if (!names.contains(parent)) {
                entry(parent, DIRECTORY, 0, 0, new byte[0]);
            }
        }
    }

    private void entry(String name, int mode, int deviceMajor, int deviceMinor, byte[] content) {
        names.add(name);
        byte[] nameBytes = (name + "\0").getBytes(StandardCharsets.US_ASCII);
        int[] fields = {
            names.size(), mode, 0, 0, 1, 0, content.length, 0, 0, deviceMajor, deviceMinor, nameBytes.length, 0
        };
        StringBuilder header = new StringBuilder("070701");
        for (int field : fields) {
            header.append(String.format("%08x", field));
        }
        archive.writeBytes(header.toString().getBytes(StandardCharsets.US_ASCII));
        archive.writeBytes(nameBytes);
        align();
        archive.writeBytes(content);
        align();
    }

    private void align() {
        while (archive.size() % ALIGNMENT != 0) {
            archive.write(0);
        }
    }
}
