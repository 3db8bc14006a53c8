package dev.longshore.packet.link;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.EnumSet;
import java.util.function.Consumer;
import java.util.function.LongSupplier;

/**
 * A capture file that tcpdump and Wireshark read: the classic pcap format, version 2.4, link type Ethernet.
 * <pre>
 * file   | magic a1b2c3d4 | 2, 4 | 0 | 0 | snap length | link type 1 |   24 bytes
 * record | seconds | microseconds | bytes here | bytes of the frame |    16 bytes, then the bytes
 * </pre>
 * Confined to one event loop. Writes go through a buffer to the page cache; should the disk fail, capturing ends, the
 * owner is told, and nothing else ends.
 */
public final class PcapFile implements AutoCloseable {
    private static final int MAGIC = 0xa1b2c3d4;
    private static final int LINKTYPE_ETHERNET = 1;
    private static final int RECORD_BYTES = 16;
    private static final int BUFFER_BYTES = 1 << 18;

    private final FileChannel file;
    private final int snapLength;
    private final LongSupplier epochMicros;
    private final Consumer<IOException> onFailure;
    private final ByteBuf buffer = Unpooled.directBuffer(BUFFER_BYTES, BUFFER_BYTES);
    private boolean closed;

    private PcapFile(FileChannel file, int snapLength, LongSupplier epochMicros, Consumer<IOException> onFailure) {
        this.file = file;
        this.snapLength = snapLength;
        this.epochMicros = epochMicros;
        this.onFailure = onFailure;
        buffer.writeInt(MAGIC).writeShort(2).writeShort(4).writeInt(0).writeInt(0);
        buffer.writeInt(snapLength).writeInt(LINKTYPE_ETHERNET);
    }

    /**
     * Creates the file, readable by its owner only, or starts it anew.
     *
     * @param snapLength how much of each frame is kept, 64..65,550 bytes
     * @param epochMicros the time of day for the records, in microseconds since 1970
     * @param onFailure is told, at most once, why capturing has ended before {@link #close}
     * @throws IOException with the path, if the file cannot be written
     */
    public static PcapFile create(Path path, int snapLength, LongSupplier epochMicros, Consumer<IOException> onFailure)
            throws IOException {
        if (snapLength < 64 || snapLength > 65_550) {
            throw new IllegalArgumentException("snap length " + snapLength);
        }
        Files.deleteIfExists(path); // so that the permissions below are those of a new file
        FileChannel file = FileChannel.open(
                path,
                EnumSet.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE),
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
        return of(file, snapLength, epochMicros, onFailure);
    }

    /** The host's time of day in microseconds since 1970. It may jump, as that clock does. */
    public static long timeOfDayMicros() {
        return ChronoUnit.MICROS.between(Instant.EPOCH, Instant.now());
    }

    /** A capture into an open file; takes ownership. For {@link #create} and for tests. */
    static PcapFile of(FileChannel file, int snapLength, LongSupplier epochMicros, Consumer<IOException> onFailure) {
        return new PcapFile(file, snapLength, epochMicros, onFailure);
    }

    /** Records the readable bytes of {@code frame} (borrows). */
    public void record(ByteBuf frame) {
        int kept = Math.min(frame.readableBytes(), snapLength);
        if (begin(frame.readableBytes(), kept)) {
            buffer.writeBytes(frame, frame.readerIndex(), kept);
        }
    }

    /** Records a frame to the guest (borrows). */
    public void record(OutFrame frame) {
        int kept = Math.min(frame.bytes(), snapLength);
        if (!begin(frame.bytes(), kept)) {
            return;
        }
        int end = buffer.writerIndex() + kept;
        copy(frame.head(), 0, frame.head().writerIndex(), end);
        for (int i = 0; i < frame.pieces(); i++) {
            copy(frame.piece(i), frame.pieceAt(i), frame.pieceBytes(i), end);
        }
    }

    private void copy(ByteBuf src, int from, int bytes, int end) {
        buffer.writeBytes(src, from, Math.min(bytes, end - buffer.writerIndex()));
    }

    /** Writes a record's header. False if nothing is recorded any more. */
    private boolean begin(int frameBytes, int kept) {
        if (buffer.writableBytes() < RECORD_BYTES + kept) {
            flush();
        }
        if (closed) {
            return false;
        }
        long now = epochMicros.getAsLong();
        buffer.writeInt((int) (now / 1_000_000)).writeInt((int) (now % 1_000_000));
        buffer.writeInt(kept).writeInt(frameBytes);
        return true;
    }

    /** Makes what was recorded visible to readers of the file. */
    public void flush() {
        try {
            while (!closed && buffer.isReadable()) {
                buffer.readBytes(file, buffer.readableBytes());
            }
            if (!closed) {
                buffer.clear();
            }
        } catch (IOException e) {
            release();
            onFailure.accept(e);
        }
    }

    /** Writes the rest and closes the file. Idempotent. */
    @Override
    public void close() {
        flush();
        release();
    }

    private void release() {
        if (closed) {
            return;
        }
        closed = true;
        buffer.release();
        try {
            file.close();
        } catch (IOException e) {
            onFailure.accept(e);
        }
    }
}
