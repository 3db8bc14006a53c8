package dev.longshore.packet.link;

import io.netty.buffer.ByteBuf;

/**
 * One frame to the guest: headers in a buffer of its own, then payload in up to {@link #MAX_PIECES} pieces that belong to
 * somebody else, and what the guest shall do with it. Filled, sent and cleared by one caller over and over.
 *
 * <p>Confined to the link's event loop. Borrows the payload's buffers between {@link #addPayload} and {@link #clear};
 * owns {@link #head}.
 */
public final class OutFrame {
    /** Enough for a 64 KiB segment made of 4 KiB reads, and for the pieces in between. */
    public static final int MAX_PIECES = 32;

    /** virtio_net_hdr.gso_type (virtio 1.2, 5.1.6): not segmented. */
    public static final int GSO_NONE = 0;

    /** virtio_net_hdr.gso_type: TCP over IPv4. */
    public static final int GSO_TCPV4 = 1;

    /** virtio_net_hdr.gso_type: TCP over IPv6. */
    public static final int GSO_TCPV6 = 4;

    private final ByteBuf head;
    private final ByteBuf[] pieces = new ByteBuf[MAX_PIECES];
    private final int[] at = new int[MAX_PIECES];
    private final int[] len = new int[MAX_PIECES];
    private int count;
    private int payloadBytes;
    private int gsoType;
    private int gsoSize;
    private int headerBytes;
    private int checksumStart = -1;
    private int checksumOffset;

    /** Takes ownership of {@code head}: direct, with room for all headers (Ethernet, IP and options, TCP and options). */
    public OutFrame(ByteBuf head) {
        this.head = head;
    }

    /** The headers, from index 0 to the writer index. */
    public ByteBuf head() {
        return head;
    }

    /** Forgets the last frame: no headers, no payload, no offload. */
    public OutFrame clear() {
        head.clear();
        for (int i = 0; i < count; i++) {
            pieces[i] = head; // keeps no other buffer reachable
        }
        count = 0;
        payloadBytes = 0;
        gsoType = GSO_NONE;
        gsoSize = 0;
        headerBytes = 0;
        checksumStart = -1;
        checksumOffset = 0;
        return this;
    }

    /** Appends {@code length} bytes of {@code b} at index {@code from}. False, without effect, if there is no piece left. */
    public boolean addPayload(ByteBuf b, int from, int length) {
        if (count == MAX_PIECES) {
            return false;
        }
        pieces[count] = b;
        at[count] = from;
        len[count] = length;
        count++;
        payloadBytes += length;
        return true;
    }

    /** Asks the guest to complete the checksum at {@code start + offset} over everything from {@code start}; both in bytes of the frame. */
    public void needsChecksum(int start, int offset) {
        checksumStart = start;
        checksumOffset = offset;
    }

    /** Marks a TCP/IPv4 segment larger than the MTU: {@code mss} bytes of payload in each real segment, {@code headers} bytes before the payload. */
    public void gsoTcp4(int mss, int headers) {
        gsoType = GSO_TCPV4;
        gsoSize = mss;
        headerBytes = headers;
    }

    /** Like {@link #gsoTcp4}, over IPv6. */
    public void gsoTcp6(int mss, int headers) {
        gsoType = GSO_TCPV6;
        gsoSize = mss;
        headerBytes = headers;
    }

    /** Bytes of the whole frame. */
    public int bytes() {
        return head.writerIndex() + payloadBytes;
    }

    public int payloadBytes() {
        return payloadBytes;
    }

    public int pieces() {
        return count;
    }

    public ByteBuf piece(int i) {
        return pieces[i];
    }

    public int pieceAt(int i) {
        return at[i];
    }

    public int pieceBytes(int i) {
        return len[i];
    }

    /** One of the {@code GSO_} constants. */
    public int gsoType() {
        return gsoType;
    }

    /** Payload bytes in each real segment, or 0. */
    public int gsoSize() {
        return gsoSize;
    }

    /** Bytes of all headers of a segment marked by {@link #gsoTcp4}, or 0. */
    public int headerBytes() {
        return headerBytes;
    }

    /** Where the checksum's coverage starts, or -1 if the checksum is complete. */
    public int checksumStart() {
        return checksumStart;
    }

    /** The checksum field's distance from {@link #checksumStart}. */
    public int checksumOffset() {
        return checksumOffset;
    }

    /** Copies the whole frame to {@code dst} (appends): for carriers without scatter, for pcap and for tests. */
    public void copyTo(ByteBuf dst) {
        dst.writeBytes(head, 0, head.writerIndex());
        for (int i = 0; i < count; i++) {
            dst.writeBytes(pieces[i], at[i], len[i]);
        }
    }

    /** Releases {@link #head}; the frame is not used after this. */
    public void release() {
        clear();
        head.release();
    }
}
