package dev.longshore.virtio.net;

import io.netty.buffer.ByteBuf;
import java.util.Arrays;

/**
 * Which receiveq a frame to the guest goes to: the one paired with the transmitq on which its flow's last frame came
 * (virtio 1.2, 5.1.6.5.6, automatic receive steering), so that a guest finds both directions on one of its processors.
 * Confined to the link's event loop.
 *
 * <p>A table of fixed size, by a hash that is the same in both directions: two flows in one place move each other's frames
 * to another queue, which reorders at worst. What was never seen goes to the first pair. A guest can fill it with anything.
 */
final class ReceiveSteering {
    private static final int ENTRIES = 1024;

    private static final int ETHERTYPE_AT = 12;
    private static final int IP_AT = 14;
    private static final int IPV4 = 0x0800;
    private static final int IPV6 = 0x86DD;
    private static final int IPV6_HEADER_BYTES = 40;
    private static final int FRAGMENT_BITS = 0x3FFF;
    private static final int TCP = 6;
    private static final int UDP = 17;

    private final byte[] pairs = new byte[ENTRIES];

    /** A frame came on the transmitq of {@code pair}. Borrows {@code frame}, from its reader index on. */
    void fromGuest(ByteBuf frame, int pair) {
        int place = place(frame, frame.readerIndex(), frame.readableBytes());
        if (place >= 0) {
            pairs[place] = (byte) pair;
        }
    }

    /** The pair for a frame whose headers are in {@code head}, from index 0 to the writer index. */
    int toGuest(ByteBuf head) {
        int place = place(head, 0, head.writerIndex());
        return place < 0 ? 0 : pairs[place];
    }

    void clear() {
        Arrays.fill(pairs, (byte) 0);
    }

    /** The flow's place, or -1 if the frame is of no flow. */
    private static int place(ByteBuf b, int at, int bytes) {
        if (bytes < IP_AT + IPV6_HEADER_BYTES) {
            return bytes >= IP_AT + 20 && b.getUnsignedShort(at + ETHERTYPE_AT) == IPV4
                    ? ipv4(b, at + IP_AT, bytes - IP_AT)
                    : -1;
        }
        return switch (b.getUnsignedShort(at + ETHERTYPE_AT)) {
            case IPV4 -> ipv4(b, at + IP_AT, bytes - IP_AT);
            case IPV6 -> ipv6(b, at + IP_AT, bytes - IP_AT);
            default -> -1;
        };
    }

    private static int ipv4(ByteBuf b, int ip, int bytes) {
        int hash = b.getInt(ip + 12) ^ b.getInt(ip + 16);
        int header = (b.getByte(ip) & 0xF) * 4;
        boolean fragment =
                (b.getUnsignedShort(ip + 6) & FRAGMENT_BITS) != 0; // the first one too, to keep them together
        return index(hash, b, ip, fragment ? bytes : header, b.getUnsignedByte(ip + 9), bytes);
    }

    /** Behind extension headers no ports are looked for. */
    private static int ipv6(ByteBuf b, int ip, int bytes) {
        long addresses = b.getLong(ip + 8) ^ b.getLong(ip + 16) ^ b.getLong(ip + 24) ^ b.getLong(ip + 32);
        int hash = (int) (addresses ^ addresses >>> 32);
        return index(hash, b, ip, IPV6_HEADER_BYTES, b.getUnsignedByte(ip + 6), bytes);
    }

    private static int index(int addresses, ByteBuf b, int ip, int header, int protocol, int bytes) {
        int hash = addresses;
        if ((protocol == TCP || protocol == UDP) && header + 4 <= bytes) {
            hash ^= (b.getUnsignedShort(ip + header) ^ b.getUnsignedShort(ip + header + 2)) * 0x9E37;
        }
        hash = (hash + protocol) * 0x9E3779B9; // Fibonacci hashing: the high bits are the mixed ones
        return hash >>> 22;
    }
}
