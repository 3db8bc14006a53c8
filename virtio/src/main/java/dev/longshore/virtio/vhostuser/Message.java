package dev.longshore.virtio.vhostuser;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import dev.longshore.virtio.memory.RegionSpec;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * One vhost-user message in a buffer of its own, used over and over: vhost-user.rst, "Message Specification".
 * Confined to the session's event loop.
 * <pre>
 *  0         4         8         12
 * | request |  flags  |  size   | payload, size bytes
 * </pre>
 * In the machine's byte order, which is little endian on everything we run on.
 */
final class Message {
    static final int HEADER_BYTES = 12;
    /** Largest payload in use: 8 + 8 regions of 32 bytes, and 12 + 256 of a config space. Some slack for trailing bytes. */
    static final int MAX_PAYLOAD_BYTES = 1024;
    /** VHOST_USER_MAX_CONFIG_SIZE. */
    static final int MAX_CONFIG_BYTES = 256;

    static final int GET_FEATURES = 1;
    static final int SET_FEATURES = 2;
    static final int SET_OWNER = 3;
    static final int RESET_OWNER = 4;
    static final int SET_MEM_TABLE = 5;
    static final int SET_LOG_BASE = 6;
    static final int SET_LOG_FD = 7;
    static final int SET_VRING_NUM = 8;
    static final int SET_VRING_ADDR = 9;
    static final int SET_VRING_BASE = 10;
    static final int GET_VRING_BASE = 11;
    static final int SET_VRING_KICK = 12;
    static final int SET_VRING_CALL = 13;
    static final int SET_VRING_ERR = 14;
    static final int GET_PROTOCOL_FEATURES = 15;
    static final int SET_PROTOCOL_FEATURES = 16;
    static final int GET_QUEUE_NUM = 17;
    static final int SET_VRING_ENABLE = 18;
    static final int SEND_RARP = 19;
    static final int NET_SET_MTU = 20;
    static final int SET_BACKEND_REQ_FD = 21;
    static final int GET_CONFIG = 24;
    static final int SET_CONFIG = 25;
    static final int RESET_DEVICE = 34;

    /** On the back-end channel: our request to re-read the config space. */
    static final int BACKEND_CONFIG_CHANGE = 2;

    private static final int VERSION_MASK = 0x3;
    private static final int VERSION = 0x1;
    private static final int FLAG_REPLY = 0x4;
    private static final int FLAG_NEED_REPLY = 0x8;

    private static final int RING_INDEX_MASK = 0xFF;
    private static final int RING_NO_FD = 0x100;

    private static final ValueLayout.OfInt LE32 = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LE64 = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final MemorySegment bytes = Arena.ofAuto().allocate(HEADER_BYTES + MAX_PAYLOAD_BYTES, 8);

    MemorySegment bytes() {
        return bytes;
    }

    int request() {
        return bytes.get(LE32, 0);
    }

    /** True if the header is one of a front end's request that we can read. */
    boolean isHeaderValid() {
        return (flags() & VERSION_MASK) == VERSION
                && (flags() & FLAG_REPLY) == 0
                && Integer.compareUnsigned(payloadBytes(), MAX_PAYLOAD_BYTES) <= 0;
    }

    int flags() {
        return bytes.get(LE32, 4);
    }

    boolean isReplyNeeded() {
        return (flags() & FLAG_NEED_REPLY) != 0;
    }

    int payloadBytes() {
        return bytes.get(LE32, 8);
    }

    int totalBytes() {
        return HEADER_BYTES + payloadBytes();
    }

    long u64() {
        return bytes.get(LE64, HEADER_BYTES);
    }

    /** Of KICK, CALL and ERR: the ring. */
    int fdRing() {
        return (int) u64() & RING_INDEX_MASK;
    }

    /** Of KICK, CALL and ERR: no descriptor comes with the message. */
    boolean isWithoutFd() {
        return (u64() & RING_NO_FD) != 0;
    }

    /** Of NUM, BASE, ENABLE and ADDR: the ring. Unsigned and untrusted. */
    int stateRing() {
        return bytes.get(LE32, HEADER_BYTES);
    }

    int stateNum() {
        return bytes.get(LE32, HEADER_BYTES + 4);
    }

    long addrDesc() {
        return bytes.get(LE64, HEADER_BYTES + 8);
    }

    long addrUsed() {
        return bytes.get(LE64, HEADER_BYTES + 16);
    }

    long addrAvail() {
        return bytes.get(LE64, HEADER_BYTES + 24);
    }

    /** Of SET_MEM_TABLE: the number of regions. Unsigned and untrusted. */
    int regionCount() {
        return bytes.get(LE32, HEADER_BYTES);
    }

    RegionSpec region(int i) {
        long at = HEADER_BYTES + 8 + 32L * i;
        return new RegionSpec(
                bytes.get(LE64, at), bytes.get(LE64, at + 8), bytes.get(LE64, at + 16), bytes.get(LE64, at + 24));
    }

    int configOffset() {
        return bytes.get(LE32, HEADER_BYTES);
    }

    int configBytes() {
        return bytes.get(LE32, HEADER_BYTES + 4);
    }

    void setConfigByte(int i, byte value) {
        bytes.set(JAVA_BYTE, HEADER_BYTES + 12L + i, value);
    }

    /** Turns the message into its own reply with {@code value}. */
    void replyU64(long value) {
        bytes.set(LE64, HEADER_BYTES, value);
        replyBytes(8);
    }

    void replyState(int ring, int num) {
        bytes.set(LE32, HEADER_BYTES, ring);
        bytes.set(LE32, HEADER_BYTES + 4, num);
        replyBytes(8);
    }

    /** Turns the message into its own reply, whose payload is in place. UML takes flags of exactly 5 and nothing else. */
    void replyBytes(int payloadBytes) {
        bytes.set(LE32, 4, VERSION | FLAG_REPLY);
        bytes.set(LE32, 8, payloadBytes);
    }

    /** Makes this a request of ours on the back-end channel, without payload and without reply. */
    void backendRequest(int request) {
        bytes.set(LE32, 0, request);
        bytes.set(LE32, 4, VERSION);
        bytes.set(LE32, 8, 0);
    }
}
