package dev.longshore.control;

import java.nio.ByteBuffer;

/** What the control socket asks of the guest's link: its frames. Thread-safe. */
public interface Captures {
    /**
     * Begins a capture. Fails with INVALID for a filter that makes no sense, WRONG_STATE if no guest runs, LIMIT if there
     * are too many.
     *
     * @param snapLength how much of each frame is kept, in bytes
     * @param count how many frames, or 0 for no end
     * @param wake called on any thread when there is something to drain, or the capture has ended; must be quick
     */
    Outcome<Session> begin(String filter, int snapLength, long count, Runnable wake);

    /** One capture. Thread-safe, with one caller of {@link #drain}. */
    interface Session {
        /** Gives all that waits to {@code reader}. */
        void drain(Reader reader);

        /** True if nothing will be added to what waits. Before the last {@link #drain}: ask first, then drain. */
        boolean ended();

        long dropped();

        /** Nothing is added any more; what waits can still be drained. Idempotent. */
        void end();
    }

    /** Takes frames. */
    interface Reader {
        /** One frame of {@code frameBytes}, of which {@code data} is there: only during the call. */
        void frame(long epochNanos, boolean fromGuest, int frameBytes, ByteBuffer data);
    }
}
