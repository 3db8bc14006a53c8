package dev.longshore.config;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.jspecify.annotations.Nullable;

/**
 * One daemon per home: a lock of the kernel on {@link Home#lockFile()}, which ends with the process however it ends. The
 * file holds the daemon's pid and never goes away. Confined to its owner.
 */
public final class HomeLock implements AutoCloseable {
    private final FileChannel channel;

    private HomeLock(FileChannel channel) {
        this.channel = channel;
    }

    /** Null if another process has it. The directory must exist. */
    public static @Nullable HomeLock take(Home home) throws IOException {
        FileChannel channel = FileChannel.open(home.lockFile(), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
        try {
            FileLock lock = channel.tryLock();
            if (lock != null) {
                channel.truncate(0);
                channel.write(
                        ByteBuffer.wrap((ProcessHandle.current().pid() + "\n").getBytes(StandardCharsets.US_ASCII)));
                return new HomeLock(channel);
            }
        } catch (OverlappingFileLockException e) {
            // Another part of this very process has it.
        }
        channel.close();
        return null;
    }

    /** The pid of the daemon that holds the home; 0 if none does. */
    public static long holder(Home home) {
        Path file = home.lockFile();
        if (!Files.exists(file)) {
            return 0;
        }
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            if (isFree(channel)) {
                return 0;
            }
            String pid = Files.readString(file).trim();
            return pid.matches("[0-9]{1,9}") ? Long.parseLong(pid) : 0;
        } catch (IOException e) {
            return 0;
        }
    }

    private static boolean isFree(FileChannel channel) throws IOException {
        try (FileLock lock = channel.tryLock()) {
            return lock != null;
        } catch (OverlappingFileLockException e) {
            return false;
        }
    }

    @Override
    public void close() throws IOException {
        channel.close();
    }
}
