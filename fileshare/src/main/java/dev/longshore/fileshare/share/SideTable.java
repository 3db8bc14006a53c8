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
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Overrides of files that cannot carry them: links, sockets, FIFOs, and everything on file systems without attributes of users. A log of
 * lines {@code device ino birth override}, or with "-" for one that is gone; written anew at each start and whenever most of it says
 * nothing any more. Thread-safe: one lock.
 *
 * <p>Files that somebody on the host removes leave theirs behind. So there is a limit; beyond it the oldest go.
 */
final class SideTable implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(SideTable.class);

    private record Key(int dev, long ino, long birth) {
        static Key of(Stat stat) {
            return new Key(stat.dev(), stat.ino(), stat.birth());
        }
    }

    /** Some 30 MB of heap. */
    static final int MOST = 250_000;

    /** Lines that say nothing any more, at least, before the file is written anew. */
    private static final int MOST_IDLE_LINES = 10_000;

    private final Map<Key, OwnerOverride> overrides = new LinkedHashMap<>();
    private final Path path;
    private final int most;
    private FileChannel file;
    private int lines;

    /** @param file is made if it is not there; its directory is */
    SideTable(Path file) throws IOException {
        this(file, MOST);
    }

    /** @param most overrides that are kept */
    SideTable(Path file, int most) throws IOException {
        path = file;
        this.most = most;
        read(file);
        this.file = writeAnew();
    }

    /** The file, whole: whenever the process or the machine dies, the old one or the new one is there. */
    private FileChannel writeAnew() throws IOException {
        Path fresh = path.resolveSibling(path.getFileName() + ".new");
        FileChannel channel = FileChannel.open(
                fresh, StandardOpenOption.WRITE, StandardOpenOption.CREATE, StandardOpenOption.TRUNCATE_EXISTING);
        try {
            StringBuilder text = new StringBuilder();
            for (Map.Entry<Key, OwnerOverride> e : overrides.entrySet()) {
                text.append(line(e.getKey(), e.getValue()));
                if (text.length() > 1 << 16) {
                    write(channel, text);
                }
            }
            write(channel, text);
            channel.force(true);
            try {
                Files.move(fresh, path, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
            } catch (AtomicMoveNotSupportedException e) {
                Files.move(fresh, path, StandardCopyOption.REPLACE_EXISTING);
            }
        } catch (IOException e) {
            channel.close();
            throw e;
        }
        lines = overrides.size();
        return channel;
    }

    private static void write(FileChannel channel, StringBuilder text) throws IOException {
        ByteBuffer bytes = ByteBuffer.wrap(text.toString().getBytes(StandardCharsets.US_ASCII));
        while (bytes.hasRemaining()) {
            channel.write(bytes);
        }
        text.setLength(0);
    }

    /** At the end: it was written first when the file was written anew. */
    private void keep(Key key, OwnerOverride o) {
        overrides.remove(key);
        overrides.put(key, o);
        if (overrides.size() > most) {
            overrides.remove(overrides.keySet().iterator().next());
        }
    }

    private void read(Path file) throws IOException {
        try (Stream<String> all = Files.lines(file, StandardCharsets.ISO_8859_1)) {
            all.forEach(this::read);
        } catch (NoSuchFileException e) {
            return; // none was kept yet
        }
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
                keep(key, o);
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
        if (o == null ? overrides.remove(key) == null : o.equals(overrides.get(key))) {
            return true;
        }
        if (o != null) {
            keep(key, o);
        }
        try {
            write(file, new StringBuilder(line(key, o)));
            if (++lines - overrides.size() > Math.max(MOST_IDLE_LINES, overrides.size())) {
                FileChannel old = file;
                file = writeAnew();
                old.close();
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
    public synchronized void close() throws IOException {
        file.close();
    }
}
