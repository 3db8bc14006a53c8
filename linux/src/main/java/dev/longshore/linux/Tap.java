package dev.longshore.linux;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.nio.charset.StandardCharsets;

/**
 * Opens TAP devices: Linux Documentation/networking/tuntap.rst and include/uapi/linux/if_tun.h. Confined to the thread of
 * its {@link Linux}, and the device belongs to that thread's network namespace: see {@link NetworkNamespace}.
 */
public final class Tap {
    /** IFNAMSIZ less the terminating NUL. */
    public static final int MAX_NAME_BYTES = 15;

    private static final int O_RDWR_NONBLOCK_CLOEXEC = 0x80802;
    private static final long TUNSETIFF = 0x4004_54CAL;
    private static final long TUNSETOFFLOAD = 0x4004_54D0L;
    private static final long TUNSETSNDBUF = 0x4004_54D4L;
    private static final long TUNSETVNETHDRSZ = 0x4004_54D8L;
    private static final int IFF_TAP = 2;
    private static final int IFF_NO_PI = 0x1000;
    private static final int IFF_VNET_HDR = 0x4000;
    private static final int TUN_F_CSUM = 1;
    private static final int TUN_F_TSO4 = 2;
    private static final int TUN_F_TSO6 = 4;
    private static final int TUN_F_TSO_ECN = 8;
    private static final int IFREQ_BYTES = 40;
    private static final int IFREQ_FLAGS_AT = 16;

    private final Linux linux;

    public Tap(Linux linux) {
        this.linux = linux;
    }

    /**
     * Opens the device {@code name}, which is made if there is none and then vanishes with the descriptor. Each frame has
     * a virtio_net_hdr of {@code headerBytes} in front, both ways; the kernel gives us partial checksums and large TCP
     * segments, and takes them.
     *
     * @return a non-blocking, close-on-exec descriptor, or the negated errno: -EPERM without CAP_NET_ADMIN, -EBUSY if
     *     somebody has the device, -EINVAL if {@code name} is a device of another kind
     */
    public int open(String name, int headerBytes) {
        int fd = NetworkNamespace.open(linux, "/dev/net/tun", O_RDWR_NONBLOCK_CLOEXEC);
        if (fd < 0) {
            return fd;
        }
        int r = attach(fd, name, headerBytes);
        if (r < 0) {
            linux.close(fd);
            return r;
        }
        return fd;
    }

    private int attach(int fd, String name, int headerBytes) {
        try (Arena call = Arena.ofConfined()) {
            MemorySegment request = interfaceRequest(call, name);
            request.set(JAVA_SHORT, IFREQ_FLAGS_AT, (short) (IFF_TAP | IFF_NO_PI | IFF_VNET_HDR));
            int r = ioctl(fd, TUNSETIFF, request);
            if (r < 0) {
                return r;
            }
            MemorySegment number = call.allocate(JAVA_INT);
            number.set(JAVA_INT, 0, headerBytes);
            r = ioctl(fd, TUNSETVNETHDRSZ, number);
            if (r < 0) {
                return r;
            }
            long offload = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
            return linux.result((int) IoctlValueCall.HANDLE.invokeExact(linux.errno(), fd, TUNSETOFFLOAD, offload));
        } catch (Throwable t) {
            throw Linux.bug(t);
        }
    }

    /** Bounds the frames written and not yet taken by the device's stack, in bytes; without a bound by default. */
    public int sendBuffer(int fd, int bytes) {
        try (Arena call = Arena.ofConfined()) {
            MemorySegment number = call.allocate(JAVA_INT);
            number.set(JAVA_INT, 0, bytes);
            return ioctl(fd, TUNSETSNDBUF, number);
        }
    }

    private int ioctl(int fd, long request, MemorySegment argument) {
        try {
            return linux.result((int) IoctlPointerCall.HANDLE.invokeExact(linux.errno(), fd, request, argument));
        } catch (Throwable t) {
            throw Linux.bug(t);
        }
    }

    /** struct ifreq with nothing but the name. */
    private static MemorySegment interfaceRequest(Arena arena, String name) {
        byte[] bytes = name.getBytes(StandardCharsets.UTF_8);
        if (bytes.length == 0 || bytes.length > MAX_NAME_BYTES) {
            throw new IllegalArgumentException("an interface's name has 1 to " + MAX_NAME_BYTES + " bytes: " + name);
        }
        MemorySegment request = arena.allocate(IFREQ_BYTES, 8);
        MemorySegment.copy(bytes, 0, request, JAVA_BYTE, 0, bytes.length);
        return request;
    }

    // ---- the calls, each linked when it is first made: all of them at once would be half of a start

    private static final class IoctlPointerCall {
        static final MethodHandle HANDLE = Linux.call(
                "ioctl",
                FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_LONG, ADDRESS),
                Linker.Option.firstVariadicArg(2));
    }

    private static final class IoctlValueCall {
        static final MethodHandle HANDLE = Linux.call(
                "ioctl",
                FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_LONG),
                Linker.Option.firstVariadicArg(2));
    }
}
