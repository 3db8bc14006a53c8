package dev.longshore.packet.capture;

import dev.longshore.packet.link.FrameTap;
import dev.longshore.packet.link.OutFrame;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * The frames of a link that a filter lets through, kept for a reader on another thread until it takes them. A reader that
 * is too slow loses frames, which are counted; memory is bounded by twice {@link #MAX_BYTES}.
 *
 * <p>Thread-safe: the link's loop writes into one buffer under a lock that it holds for one copy; the reader swaps that
 * buffer for an empty one under the same lock, and reads without it. One reader.
 */
public final class Capture implements FrameTap {
    /** Most that waits for the reader, in bytes. */
    public static final int MAX_BYTES = 4 << 20;

    /** The usual bound on what is kept of a frame: more than any frame has. */
    public static final int WHOLE_FRAMES = 262_144;

    private static final int FIRST_BYTES = 64 << 10;
    private static final int RECORD_BYTES = 8 + 1 + 4 + 4;

    private final CaptureFilter filter;
    private final int snapLength;
    private final long limit;
    private final LongSupplier epochNanos;
    private final Runnable wake;

    private ByteBuf filling = Unpooled.buffer(FIRST_BYTES, MAX_BYTES);
    private ByteBuf spare = Unpooled.buffer(FIRST_BYTES, MAX_BYTES);
    private long captured;
    private long dropped;
    private boolean ended;

    /**
     * Captures from the moment it taps a link.
     *
     * @param filter the loop's from now on
     * @param snapLength how much of each frame is kept, in bytes, 1 or more
     * @param limit how many frames are captured, or 0 for no limit
     * @param epochNanos the time of day for the frames, in nanoseconds since 1970
     * @param wake called on the loop when the first frame waits, or when the capture has ended; must be quick
     */
    public Capture(CaptureFilter filter, int snapLength, long limit, LongSupplier epochNanos, Runnable wake) {
        if (snapLength < 1 || limit < 0) {
            throw new IllegalArgumentException("snap length " + snapLength + ", limit " + limit);
        }
        this.filter = filter;
        this.snapLength = snapLength;
        this.limit = limit;
        this.epochNanos = epochNanos;
        this.wake = wake;
    }

    @Override
    public void fromGuest(ByteBuf frame) {
        if (filter.matches(frame, frame.readerIndex(), frame.readableBytes())) {
            keep(true, frame, null);
        }
    }

    @Override
    public void toGuest(OutFrame frame) {
        if (filter.matches(frame.head(), 0, frame.head().writerIndex())) {
            keep(false, frame.head(), frame);
        }
    }

    private void keep(boolean fromGuest, ByteBuf frame, @Nullable OutFrame out) {
        boolean first;
        synchronized (this) {
            int bytes = out == null ? frame.readableBytes() : out.bytes();
            int kept = Math.min(bytes, snapLength);
            if (ended) {
                return;
            }
            if (filling.writerIndex() + RECORD_BYTES + kept > MAX_BYTES) {
                dropped++;
                return;
            }
            first = !filling.isReadable();
            filling.writeLong(epochNanos.getAsLong())
                    .writeBoolean(fromGuest)
                    .writeInt(bytes)
                    .writeInt(kept);
            if (out == null) {
                filling.writeBytes(frame, frame.readerIndex(), kept);
            } else {
                copy(out, kept);
            }
            captured++;
            ended = captured == limit;
            first |= ended;
        }
        if (first) {
            wake.run();
        }
    }

    private void copy(OutFrame out, int kept) {
        int end = filling.writerIndex() + kept;
        filling.writeBytes(out.head(), 0, Math.min(out.head().writerIndex(), kept));
        for (int i = 0; i < out.pieces(); i++) {
            int bytes = Math.min(out.pieceBytes(i), end - filling.writerIndex());
            filling.writeBytes(out.piece(i), out.pieceAt(i), bytes);
        }
    }

    /** Ends the capture: what waits can still be read. Idempotent, from any thread. */
    public void end() {
        synchronized (this) {
            ended = true;
        }
        wake.run();
    }

    /** True if no frame will be added. Before the last {@link #drain}, that is: ask first, then drain. */
    public synchronized boolean ended() {
        return ended;
    }

    /** Frames kept so far. */
    public synchronized long captured() {
        return captured;
    }

    /** Frames that the filter let through and that found no room. */
    public synchronized long dropped() {
        return dropped;
    }

    /** Gives all frames that wait to {@code reader}, oldest first. By the one reader only. False if there was none. */
    public boolean drain(Reader reader) {
        ByteBuf full;
        synchronized (this) {
            full = filling;
            filling = spare;
            spare = full;
        }
        boolean any = full.isReadable();
        while (full.isReadable()) {
            long time = full.readLong();
            boolean fromGuest = full.readBoolean();
            int bytes = full.readInt();
            int kept = full.readInt();
            reader.frame(time, fromGuest, bytes, full, full.readerIndex(), kept);
            full.skipBytes(kept);
        }
        full.clear();
        return any;
    }

    /** Takes frames. */
    public interface Reader {
        /**
         * One frame.
         *
         * @param epochNanos since 1970
         * @param frameBytes of the whole frame; {@code len} of them are at {@code at} of {@code b}, which is borrowed
         */
        void frame(long epochNanos, boolean fromGuest, int frameBytes, ByteBuf b, int at, int len);
    }
}
