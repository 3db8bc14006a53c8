package dev.longshore.fileshare.share;

import dev.longshore.fileshare.os.Stat;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.AtomicMoveNotSupportedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Overrides of files that cannot carry them: links, sockets, FIFOs, and everything on file systems without attributes of users. A log of
 * lines {@code device ino birth override}, or without an override for one that is gone; read and written anew at each start.
 * Thread-safe: one lock.
 */
final class SideTable implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(SideTable.class);

    private record Key(int dev, long ino, long birth) {
        static Key of(Stat stat) {
            return new Key(stat.dev(), stat.ino(), stat.birth());
        }
    }

    private final Map<Key, OwnerOverride> overrides = new HashMap<>();
    private final FileChannel file;

    /** @param file is made if it is not there; its directory is */
    SideTable(Path file) throws IOException {
        read(file);
        Path fresh = file.resolveSibling(file.getFileName() + ".new");
        StringBuilder text = new StringBuilder();
        overrides.forEach((k, v) -> text.append(line(k, v)));
        Files.writeString(fresh, text, StandardCharsets.US_ASCII);
        try {
            Files.move(fresh, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        } catch (AtomicMoveNotSupportedException e) {
            Files.move(fresh, file, StandardCopyOption.REPLACE_EXISTING);
        }
        this.file = FileChannel.open(file, StandardOpenOption.WRITE, StandardOpenOption.APPEND);
    }

    private void read(Path file) throws IOException {
        String text;
        try {
            text = Files.readString(file, StandardCharsets.ISO_8859_1);
        } catch (NoSuchFileException e) {
            return;
        }
        text.lines().forEach(this::read);
    }

    /** A line that was being written when the process died is passed over. */
    private void read(String line) {
        String[] parts = line.split(" ", -1);
        if (parts.length != 4) {
            return;
        }
        try {
            Key key = new Key(
                    Integer.parseUnsignedInt(parts[0]), Long.parseUnsignedLong(parts[1]), Long.parseLong(parts[2]));
            OwnerOverride o = OwnerOverride.parse(parts[3].getBytes(StandardCharsets.ISO_8859_1));
            if (o != null) {
                overrides.put(key, o);
            } else if (parts[3].equals("-")) {
                overrides.remove(key);
            }
        } catch (NumberFormatException e) {
            log.debug("passed over: {}", line);
        }
    }

    private static String line(Key key, @Nullable OwnerOverride o) {
        return Integer.toUnsignedString(key.dev) + " " + Long.toUnsignedString(key.ino) + " " + key.birth + " "
                + (o == null ? "-" : new String(o.bytes(), StandardCharsets.US_ASCII)) + "\n";
    }

    synchronized @Nullable OwnerOverride get(Stat stat) {
        return overrides.isEmpty() ? null : overrides.get(Key.of(stat));
    }

    /** Null removes it. False if it could not be written. */
    synchronized boolean put(Stat stat, @Nullable OwnerOverride o) {
        Key key = Key.of(stat);
        if (o == null ? overrides.remove(key) == null : o.equals(overrides.put(key, o))) {
            return true;
        }
        ByteBuffer line = ByteBuffer.wrap(line(key, o).getBytes(StandardCharsets.US_ASCII));
        try {
            while (line.hasRemaining()) {
                file.write(line);
            }
            return true;
        } catch (IOException e) {
            log.warn("owners of shared files are not kept: {}", e.toString());
            return false;
        }
    }

    synchronized int size() {
        return overrides.size();
    }

    @Override
    public void close() throws IOException {
        file.close();
    }
}
