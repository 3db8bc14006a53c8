package dev.longshore.vm.machine;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Where User-mode Linux keeps the guest's memory: an unlinked file, of which only touched pages exist. Where a file system
 * has no room for a page the guest dies by SIGBUS, so one that can't hold all of it is not used. Immutable.
 *
 * @param sharedMemory the tmpfs tried first
 * @param mounts as {@code /proc/self/mounts}
 */
record MemoryPlace(Path sharedMemory, Path mounts) {
    private static final Logger LOG = LoggerFactory.getLogger(MemoryPlace.class);

    static MemoryPlace ofHost() {
        return new MemoryPlace(Path.of("/dev/shm"), Path.of("/proc/self/mounts"));
    }

    /** @param fallback a directory on a disk, used if the shared memory is small, not executable or not there */
    Path choose(int memoryMiB, Path fallback) throws MachineException {
        long bytes = (long) memoryMiB << 20;
        if (room(sharedMemory) >= bytes && isExecutableTmpfs()) {
            return sharedMemory;
        }
        if (room(fallback) < bytes) {
            throw new MachineException("neither " + sharedMemory + " nor " + fallback + " has room for the guest's "
                    + memoryMiB + " MiB of memory: free some, or set vm.memoryMiB lower");
        }
        LOG.warn(
                "{} can't hold the guest's {} MiB of memory: they go to a file in {}, which is slower",
                sharedMemory,
                memoryMiB,
                fallback);
        return fallback;
    }

    private static long room(Path directory) {
        try {
            return Files.getFileStore(directory).getUsableSpace();
        } catch (IOException e) {
            return 0;
        }
    }

    private boolean isExecutableTmpfs() {
        try {
            List<String> lines = Files.readAllLines(mounts);
            // The last line of a mount point is the one on top.
            return lines.reversed().stream()
                    .map(line -> line.split(" ", -1))
                    .filter(columns -> columns.length >= 4 && columns[1].equals(sharedMemory.toString()))
                    .findFirst()
                    .map(columns -> columns[2].equals("tmpfs")
                            && !List.of(columns[3].split(",", -1)).contains("noexec"))
                    .orElse(false);
        } catch (IOException e) {
            return false;
        }
    }
}
