package dev.longshore.vm.machine;

import dev.longshore.vm.image.HostTools;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * The file with the guest's {@code /var/lib/docker}: ext4 in a sparse file, made once, never made smaller, kept when the
 * image changes. Immutable.
 */
public record DataDisk(Path file) {
    /** Of ext4: "Layout, The Super Block" in the kernel's documentation; offsets into the file. */
    private static final int SUPER_BLOCK = 1024;

    private static final int BLOCKS_LOW = 0x4;
    private static final int LOG_BLOCK_SIZE = 0x18;
    private static final int MAGIC = 0x38;
    private static final int BLOCKS_HIGH = 0x150;
    private static final int EXT_MAGIC = 0xEF53;

    /**
     * Makes the file if there is none, makes it larger if it is smaller than wanted. Blocks.
     *
     * @return true if the file is now larger than its file system, which the guest then extends
     */
    public boolean prepare(int sizeMiB, HostTools tools) throws MachineException, InterruptedException {
        try {
            if (!Files.exists(file)) {
                create(sizeMiB, tools);
                return false;
            }
            long wanted = (long) sizeMiB << 20;
            try (RandomAccessFile disk = new RandomAccessFile(file.toFile(), "rw")) {
                long fileSystemBytes = fileSystemBytes(disk);
                if (disk.length() < wanted) {
                    disk.setLength(wanted);
                }
                return disk.length() - fileSystemBytes >= 1 << 20;
            }
        } catch (IOException e) {
            throw new MachineException("the data disk " + file + " can't be prepared: " + e.getMessage(), e);
        }
    }

    private void create(int sizeMiB, HostTools tools) throws IOException, MachineException, InterruptedException {
        if (tools.find("mke2fs") == null) {
            throw new MachineException(
                    "making the data disk needs mke2fs: " + HostTools.installCommand(List.of("e2fsprogs")));
        }
        Path fresh = file.resolveSibling(file.getFileName() + ".new");
        Files.deleteIfExists(fresh);
        List<String> output = new ArrayList<>();
        // Lazy: tables are written by the guest's kernel in its idle time, so the file starts small.
        List<String> command = List.of(
                "mke2fs",
                "-q",
                "-t",
                "ext4",
                "-m",
                "0",
                "-L",
                "longshore-data",
                "-E",
                "lazy_itable_init=1,lazy_journal_init=1,nodiscard",
                "-J",
                "size=64",
                fresh.toString(),
                sizeMiB + "M");
        if (tools.run(command, Map.of(), output::add) != 0) {
            throw new MachineException("mke2fs could not make the data disk " + file + ": " + String.join(" ", output));
        }
        Files.setPosixFilePermissions(fresh, PosixFilePermissions.fromString("rw-------"));
        Files.move(fresh, file, StandardCopyOption.ATOMIC_MOVE);
    }

    /** Throws if there is no ext4 on the disk: then it is not ours to change. */
    private long fileSystemBytes(RandomAccessFile disk) throws IOException, MachineException {
        byte[] bytes = new byte[1024];
        disk.seek(SUPER_BLOCK);
        int read = disk.read(bytes);
        ByteBuffer block = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
        int logBlockSize = block.getInt(LOG_BLOCK_SIZE);
        if (read < bytes.length
                || (block.getShort(MAGIC) & 0xFFFF) != EXT_MAGIC
                || logBlockSize < 0
                || logBlockSize > 6) {
            throw new MachineException(
                    "the data disk " + file + " holds no ext4 file system. If nothing on it is needed,"
                            + " delete it: an empty one is made at the next start");
        }
        long blocks = Integer.toUnsignedLong(block.getInt(BLOCKS_LOW))
                | Integer.toUnsignedLong(block.getInt(BLOCKS_HIGH)) << 32;
        return blocks << (10 + logBlockSize);
    }
}
