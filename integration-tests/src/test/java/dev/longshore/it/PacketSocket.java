package dev.longshore.it;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import dev.longshore.linux.NetworkNamespace;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import org.jspecify.annotations.Nullable;

/** Raw frames of one network device, as packet(7) has them: a guest with no protocols of its own. Any thread. */
final class PacketSocket implements AutoCloseable {
    private static final int AF_PACKET = 17;
    private static final int SOCK_RAW_NONBLOCK = 3 | 0x800;
    private static final short ETH_P_ALL_BIG_ENDIAN = 0x0300;
    private static final int SOL_PACKET = 263;
    private static final int PACKET_IGNORE_OUTGOING = 23;
    private static final int SOL_SOCKET = 1;
    private static final int SO_RCVBUFFORCE = 33;
    private static final int ROOM = 16 << 20;
    private static final int LARGEST = 70_000;

    private static final Linker LINKER = Linker.nativeLinker();
    private static final MethodHandle SOCKET = function("socket", JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT);
    private static final MethodHandle IF_INDEX = function("if_nametoindex", JAVA_INT, ADDRESS);
    private static final MethodHandle BIND = function("bind", JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT);
    private static final MethodHandle OPTION =
            function("setsockopt", JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT);
    private static final MethodHandle SEND = function("send", JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG, JAVA_INT);
    private static final MethodHandle RECV = function("recv", JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG, JAVA_INT);
    private static final MethodHandle CLOSE = function("close", JAVA_INT, JAVA_INT);

    private final int fd;

    /** On {@code device}, which is up, of the namespace with this name. */
    PacketSocket(String namespace, String device) throws InterruptedException {
        fd = NetworkNamespace.of(namespace).call(() -> open(device));
        if (fd < 0) {
            throw new AssertionError("no packet socket on " + device);
        }
    }

    private static MethodHandle function(
            String name, java.lang.foreign.MemoryLayout result, java.lang.foreign.MemoryLayout... arguments) {
        return LINKER.downcallHandle(
                LINKER.defaultLookup().find(name).orElseThrow(), FunctionDescriptor.of(result, arguments));
    }

    private static int open(String device) {
        try (Arena call = Arena.ofConfined()) {
            int made = (int) SOCKET.invokeExact(AF_PACKET, SOCK_RAW_NONBLOCK, (int) ETH_P_ALL_BIG_ENDIAN);
            MemorySegment address = call.allocate(20, 8); // struct sockaddr_ll
            address.set(JAVA_SHORT, 0, (short) AF_PACKET);
            address.set(JAVA_SHORT, 2, ETH_P_ALL_BIG_ENDIAN);
            address.set(JAVA_INT, 4, (int) IF_INDEX.invokeExact(call.allocateFrom(device)));
            int bound = (int) BIND.invokeExact(made, address, 20);
            int ignored = option(call, made, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1);
            int sized = option(call, made, SOL_SOCKET, SO_RCVBUFFORCE, ROOM);
            return bound < 0 || ignored < 0 || sized < 0 ? -1 : made;
        } catch (Throwable t) {
            throw new AssertionError(t);
        }
    }

    private static int option(Arena call, int fd, int level, int option, int value) throws Throwable {
        return (int) OPTION.invokeExact(fd, level, option, call.allocateFrom(JAVA_INT, value), 4);
    }

    void send(byte[] frame) {
        try (Arena call = Arena.ofConfined()) {
            long sent = (long) SEND.invokeExact(fd, call.allocateFrom(JAVA_BYTE, frame), (long) frame.length, 0);
            if (sent != frame.length) {
                throw new AssertionError("the device took " + sent + " of " + frame.length + " bytes");
            }
        } catch (Throwable t) {
            throw new AssertionError(t);
        }
    }

    /** The next frame that came to the device; null if there is none. */
    byte @Nullable [] receive() {
        try (Arena call = Arena.ofConfined()) {
            MemorySegment into = call.allocate(LARGEST);
            long n = (long) RECV.invokeExact(fd, into, (long) LARGEST, 0);
            return n <= 0 ? null : into.asSlice(0, n).toArray(JAVA_BYTE);
        } catch (Throwable t) {
            throw new AssertionError(t);
        }
    }

    @Override
    public void close() {
        try {
            int ignored = (int) CLOSE.invokeExact(fd);
            assert ignored <= 0;
        } catch (Throwable t) {
            throw new AssertionError(t);
        }
    }
}
