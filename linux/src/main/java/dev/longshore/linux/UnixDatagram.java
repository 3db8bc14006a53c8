package dev.longshore.linux;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/** Unix datagram sockets: unix(7). Confined to the thread of its {@link Linux}. */
public final class UnixDatagram {
    private static final int AF_UNIX = 1;
    private static final int SOCK_DGRAM_NONBLOCK_CLOEXEC = 0x80802;

    private static final MethodHandle SOCKETPAIR =
            Linux.call("socketpair", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT, ADDRESS));

    private final Linux linux;

    public UnixDatagram(Linux linux) {
        this.linux = linux;
    }

    /** Fills {@code pair} with two connected, non-blocking, close-on-exec sockets. */
    public int pair(int[] pair) {
        try (Arena call = Arena.ofConfined()) {
            MemorySegment fds = call.allocate(JAVA_INT, 2);
            int r = linux.result(
                    (int) SOCKETPAIR.invokeExact(linux.errno(), AF_UNIX, SOCK_DGRAM_NONBLOCK_CLOEXEC, 0, fds));
            if (r == 0) {
                pair[0] = fds.getAtIndex(JAVA_INT, 0);
                pair[1] = fds.getAtIndex(JAVA_INT, 1);
            }
            return r;
        } catch (Throwable t) {
            throw Linux.bug(t);
        }
    }
}
