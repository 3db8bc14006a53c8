package dev.longshore.virtio.vsock;

import io.netty.buffer.ByteBuf;

/**
 * Header of a virtio-vsock packet at index {@code at} of a buffer, little endian: virtio 1.2, 5.10.6, struct
 * virtio_vsock_hdr.
 * <pre>
 *  0               2               4               6              7
 * |                            src_cid                             |  0
 * |                            dst_cid                             |  8
 * |           src_port            |            dst_port            | 16
 * |              len              |      type     |      op        | 24
 * |             flags             |           buf_alloc            | 32
 * |            fwd_cnt            |                                  40
 * </pre>
 * Ports are unsigned 32-bit numbers kept as {@code int}. {@code len} bytes of payload follow, for {@link #OP_RW} only. Once
 * {@link #isValid} is true, no accessor reads outside the packet and {@link #len} bytes of payload are there.
 */
public final class VsockHeader {
    /** Size of the header in bytes. */
    public static final int BYTES = 44;

    /** Largest payload of one packet: Linux VIRTIO_VSOCK_MAX_PKT_BUF_SIZE. */
    public static final int MAX_PAYLOAD = 64 * 1024;

    /** VIRTIO_VSOCK_TYPE_STREAM, the only type we offer. */
    public static final int TYPE_STREAM = 1;

    /** Asks for a stream to dst_port. */
    public static final int OP_REQUEST = 1;

    /** Grants an {@link #OP_REQUEST}. */
    public static final int OP_RESPONSE = 2;

    /** Refuses a stream, ends one at once, or confirms that one is closed. */
    public static final int OP_RST = 3;

    /** Ends one direction or both: {@link #SHUTDOWN_RECEIVE}, {@link #SHUTDOWN_SEND}. */
    public static final int OP_SHUTDOWN = 4;

    /** Bytes of the stream. */
    public static final int OP_RW = 5;

    /** Carries nothing but buf_alloc and fwd_cnt, as every packet does. */
    public static final int OP_CREDIT_UPDATE = 6;

    /** Asks for an {@link #OP_CREDIT_UPDATE}. */
    public static final int OP_CREDIT_REQUEST = 7;

    /** Flag of {@link #OP_SHUTDOWN}: the sender of it will receive no more. */
    public static final int SHUTDOWN_RECEIVE = 1;

    /** Flag of {@link #OP_SHUTDOWN}: the sender of it will send no more. */
    public static final int SHUTDOWN_SEND = 2;

    /** Both flags: the stream is over, and {@link #OP_RST} is the answer (virtio 1.2, 5.10.6.6). */
    public static final int SHUTDOWN_BOTH = SHUTDOWN_RECEIVE | SHUTDOWN_SEND;

    private VsockHeader() {}

    /** True if a packet of {@code bytes} bytes, of which at least the header is in {@code b}, holds its header and payload. */
    public static boolean isValid(ByteBuf b, int at, long bytes) {
        return bytes >= BYTES
                && BYTES <= b.writerIndex() - at
                && len(b, at) >= 0
                && len(b, at) <= MAX_PAYLOAD
                && len(b, at) <= bytes - BYTES;
    }

    public static long srcCid(ByteBuf b, int at) {
        return b.getLongLE(at);
    }

    public static long dstCid(ByteBuf b, int at) {
        return b.getLongLE(at + 8);
    }

    public static int srcPort(ByteBuf b, int at) {
        return b.getIntLE(at + 16);
    }

    public static int dstPort(ByteBuf b, int at) {
        return b.getIntLE(at + 20);
    }

    /** Payload bytes, 0..{@link #MAX_PAYLOAD} once valid. */
    public static int len(ByteBuf b, int at) {
        return b.getIntLE(at + 24);
    }

    public static int type(ByteBuf b, int at) {
        return b.getUnsignedShortLE(at + 28);
    }

    /** One of the {@code OP_} constants, or anything else a guest writes. */
    public static int op(ByteBuf b, int at) {
        return b.getUnsignedShortLE(at + 30);
    }

    public static int flags(ByteBuf b, int at) {
        return b.getIntLE(at + 32);
    }

    /** Bytes of the sender's receive buffer for this stream, unsigned. */
    public static int bufAlloc(ByteBuf b, int at) {
        return b.getIntLE(at + 36);
    }

    /** Bytes the sender has ever taken out of its receive buffer, modulo 2^32. */
    public static int fwdCnt(ByteBuf b, int at) {
        return b.getIntLE(at + 40);
    }

    /** Writes addresses and type; the fields after them are 0. */
    static void write(ByteBuf b, int at, long srcCid, int srcPort, long dstCid, int dstPort, int type, int op) {
        b.setLongLE(at, srcCid);
        b.setLongLE(at + 8, dstCid);
        b.setIntLE(at + 16, srcPort);
        b.setIntLE(at + 20, dstPort);
        b.setIntLE(at + 24, 0);
        b.setShortLE(at + 28, type);
        b.setShortLE(at + 30, op);
        b.setIntLE(at + 32, 0);
        b.setIntLE(at + 36, 0);
        b.setIntLE(at + 40, 0);
    }

    static void setLen(ByteBuf b, int at, int len) {
        b.setIntLE(at + 24, len);
    }

    static void setFlags(ByteBuf b, int at, int flags) {
        b.setIntLE(at + 32, flags);
    }

    static void setCredit(ByteBuf b, int at, int bufAlloc, int fwdCnt) {
        b.setIntLE(at + 36, bufAlloc);
        b.setIntLE(at + 40, fwdCnt);
    }
}
