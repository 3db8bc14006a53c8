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
import java.net.Inet4Address;
import java.nio.charset.StandardCharsets;

/**
 * Gives an interface its MAC and IP address, MTU, queue and default route, and puts it up: the calls of netdevice(7). Confined
 * to the thread of its {@link Linux}, and to that thread's network namespace.
 */
public final class InterfaceSetup {
    private static final int AF_INET = 2;
    private static final int SOCK_DGRAM_CLOEXEC = 0x80002;
    private static final long SIOCADDRT = 0x890B;
    private static final long SIOCGIFFLAGS = 0x8913;
    private static final long SIOCSIFFLAGS = 0x8914;
    private static final long SIOCSIFADDR = 0x8916;
    private static final long SIOCSIFNETMASK = 0x891C;
    private static final long SIOCSIFMTU = 0x8922;
    private static final long SIOCSIFHWADDR = 0x8924;
    private static final long SIOCGIFTXQLEN = 0x8942;
    private static final long SIOCSIFTXQLEN = 0x8943;
    private static final int ARPHRD_ETHER = 1;
    private static final int IFF_UP = 1;
    private static final int IFREQ_BYTES = 40;
    private static final int IFREQ_VALUE_AT = 16;
    private static final int MAX_NAME_BYTES = 15;
    // struct rtentry of 64-bit Linux: pad, dst, gateway, genmask (16 bytes each), flags
    private static final int RTENTRY_BYTES = 120;
    private static final int RT_DESTINATION_AT = 8;
    private static final int RT_GATEWAY_AT = 24;
    private static final int RT_MASK_AT = 40;
    private static final int RT_FLAGS_AT = 56;
    private static final int RTF_UP_GATEWAY = 3;

    private final Linux linux;

    public InterfaceSetup(Linux linux) {
        this.linux = linux;
    }

    /**
     * Does all of it, and puts the loopback interface up too.
     *
     * @param mac in the low 48 bits, the first byte on the wire highest
     * @param prefix of the network, 1..32
     * @return 0, or the negated errno of what failed first
     */
    public int configure(String name, long mac, Inet4Address address, int prefix, Inet4Address gateway, int mtu) {
        int socket = socket();
        if (socket < 0) {
            return socket;
        }
        try (Arena call = Arena.ofConfined()) {
            int r = up(call, socket, "lo");
            r = r < 0 ? r : setMac(call, socket, name, mac);
            r = r < 0 ? r : setMtu(call, socket, name, mtu);
            r = r < 0 ? r : setAddress(call, socket, name, SIOCSIFADDR, address.getAddress());
            r = r < 0 ? r : setAddress(call, socket, name, SIOCSIFNETMASK, mask(prefix));
            r = r < 0 ? r : up(call, socket, name);
            return r < 0 ? r : addDefaultRoute(call, socket, gateway);
        } finally {
            linux.close(socket);
        }
    }

    /**
     * Makes the queue of an interface as long as this, if it is shorter.
     *
     * @param packets what it is to hold; for a TAP device: how many the kernel keeps for its reader
     * @return 0, or the negated errno: -EPERM without CAP_NET_ADMIN
     */
    public int queueAtLeast(String name, int packets) {
        int socket = socket();
        if (socket < 0) {
            return socket;
        }
        try (Arena call = Arena.ofConfined()) {
            MemorySegment request = request(call, name);
            int r = ioctl(socket, SIOCGIFTXQLEN, request);
            if (r < 0 || request.get(JAVA_INT, IFREQ_VALUE_AT) >= packets) {
                return r;
            }
            request.set(JAVA_INT, IFREQ_VALUE_AT, packets);
            return ioctl(socket, SIOCSIFTXQLEN, request);
        } finally {
            linux.close(socket);
        }
    }

    private int socket() {
        try {
            return linux.result((int) SocketCall.HANDLE.invokeExact(linux.errno(), AF_INET, SOCK_DGRAM_CLOEXEC, 0));
        } catch (Throwable t) {
            throw Linux.bug(t);
        }
    }

    private int up(Arena call, int socket, String name) {
        MemorySegment request = request(call, name);
        int r = ioctl(socket, SIOCGIFFLAGS, request);
        if (r < 0) {
            return r;
        }
        request.set(JAVA_SHORT, IFREQ_VALUE_AT, (short) (request.get(JAVA_SHORT, IFREQ_VALUE_AT) | IFF_UP));
        return ioctl(socket, SIOCSIFFLAGS, request);
    }

    private int setMac(Arena call, int socket, String name, long mac) {
        MemorySegment request = request(call, name);
        request.set(JAVA_SHORT, IFREQ_VALUE_AT, (short) ARPHRD_ETHER);
        for (int i = 0; i < 6; i++) {
            request.set(JAVA_BYTE, IFREQ_VALUE_AT + 2 + i, (byte) (mac >>> (40 - 8 * i)));
        }
        return ioctl(socket, SIOCSIFHWADDR, request);
    }

    private int setMtu(Arena call, int socket, String name, int mtu) {
        MemorySegment request = request(call, name);
        request.set(JAVA_INT, IFREQ_VALUE_AT, mtu);
        return ioctl(socket, SIOCSIFMTU, request);
    }

    private int setAddress(Arena call, int socket, String name, long which, byte[] address) {
        MemorySegment request = request(call, name);
        putAddress(request, IFREQ_VALUE_AT, address);
        return ioctl(socket, which, request);
    }

    private int addDefaultRoute(Arena call, int socket, Inet4Address gateway) {
        MemorySegment route = call.allocate(RTENTRY_BYTES, 8);
        putAddress(route, RT_DESTINATION_AT, new byte[4]);
        putAddress(route, RT_GATEWAY_AT, gateway.getAddress());
        putAddress(route, RT_MASK_AT, new byte[4]);
        route.set(JAVA_SHORT, RT_FLAGS_AT, (short) RTF_UP_GATEWAY);
        return ioctl(socket, SIOCADDRT, route);
    }

    /** A sockaddr_in. */
    private static void putAddress(MemorySegment to, long at, byte[] address) {
        to.set(JAVA_SHORT, at, (short) AF_INET);
        MemorySegment.copy(address, 0, to, JAVA_BYTE, at + 4, address.length);
    }

    private static byte[] mask(int prefix) {
        int bits = -1 << (32 - prefix);
        return new byte[] {(byte) (bits >>> 24), (byte) (bits >>> 16), (byte) (bits >>> 8), (byte) bits};
    }

    private static MemorySegment request(Arena call, String name) {
        byte[] bytes = name.getBytes(StandardCharsets.UTF_8);
        if (bytes.length > MAX_NAME_BYTES) {
            throw new IllegalArgumentException("an interface's name has at most " + MAX_NAME_BYTES + " bytes: " + name);
        }
        MemorySegment request = call.allocate(IFREQ_BYTES, 8);
        MemorySegment.copy(bytes, 0, request, JAVA_BYTE, 0, bytes.length);
        return request;
    }

    private int ioctl(int socket, long which, MemorySegment argument) {
        try {
            return linux.result((int) IoctlCall.HANDLE.invokeExact(linux.errno(), socket, which, argument));
        } catch (Throwable t) {
            throw Linux.bug(t);
        }
    }

    // ---- the calls, each linked when it is first made: all of them at once would be half of a start

    private static final class SocketCall {
        static final MethodHandle HANDLE =
                Linux.call("socket", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT));
    }

    private static final class IoctlCall {
        static final MethodHandle HANDLE = Linux.call(
                "ioctl",
                FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_LONG, ADDRESS),
                Linker.Option.firstVariadicArg(2));
    }
}
