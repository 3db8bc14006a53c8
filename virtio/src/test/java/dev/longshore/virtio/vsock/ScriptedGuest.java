package dev.longshore.virtio.vsock;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.fail;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ManualIoEventLoop;
import io.netty.channel.local.LocalIoHandler;
import io.netty.util.concurrent.MockTicker;
import io.netty.util.concurrent.Ticker;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** The guest of a test: packets written out by hand, a bounded number of buffers, virtual time. */
final class ScriptedGuest implements PacketsToGuest, AutoCloseable {
    static final int CID = 3;

    /** One packet of the host. */
    @SuppressWarnings("ArrayRecordComponent") // never compared
    record Packet(int guestPort, int hostPort, int op, int flags, int bufAlloc, int fwdCnt, byte[] payload) {
        @Override
        public String toString() {
            return "op %d guest %d host %d flags %d alloc %d fwd %d, %d bytes"
                    .formatted(op, guestPort, hostPort, flags, bufAlloc, fwdCnt, payload.length);
        }
    }

    final MockTicker ticker = Ticker.newMockTicker();
    final ManualIoEventLoop loop =
            new ManualIoEventLoop(null, Thread.currentThread(), LocalIoHandler.newFactory(), ticker);
    final VsockHost host;
    final ArrayDeque<Packet> fromHost = new ArrayDeque<>();

    /** Buffers the guest offers; each packet of the host takes one. */
    int buffers = 1 << 20;

    /** Payload that fits into a buffer. */
    int room = 4096 - VsockHeader.BYTES;

    int flushes;
    int bufAlloc = 65536;
    private final ByteBuf payload = Unpooled.buffer();
    private final ByteBuf begun = Unpooled.buffer();
    private final ByteBuf header = Unpooled.buffer(VsockHeader.BYTES).writerIndex(VsockHeader.BYTES);

    ScriptedGuest() {
        this(VsockLimits.DEFAULT);
    }

    ScriptedGuest(VsockLimits limits) {
        ticker.advance(1, TimeUnit.DAYS);
        host = new VsockHost(loop, CID, limits);
        host.onDeviceUp(this);
    }

    void run() {
        while (loop.runNow() > 0) {
            // until nothing is left to do
        }
    }

    void advance(Duration time) {
        ticker.advance(time.toNanos(), TimeUnit.NANOSECONDS);
        run();
    }

    void offer(int more) {
        buffers += more;
        host.onRoom();
        run();
    }

    // ---- the guest sends

    void sends(int guestPort, int hostPort, int op) {
        sends(guestPort, hostPort, op, 0, bufAlloc, 0);
    }

    void sends(int guestPort, int hostPort, int op, int flags, int alloc, int fwdCnt, byte... bytes) {
        VsockHeader.write(header, 0, CID, guestPort, VsockHost.HOST_CID, hostPort, VsockHeader.TYPE_STREAM, op);
        VsockHeader.setLen(header, 0, bytes.length);
        VsockHeader.setFlags(header, 0, flags);
        VsockHeader.setCredit(header, 0, alloc, fwdCnt);
        sendsRaw(header, bytes);
        run();
    }

    /** Any header, also a broken one. */
    void sendsRaw(ByteBuf raw, byte... bytes) {
        host.onBatchStart();
        ByteBuf source = Unpooled.wrappedBuffer(bytes);
        host.onPacket(raw, (long) raw.writerIndex() + bytes.length, (dst, n) -> dst.writeBytes(source, n));
        host.onBatchEnd();
    }

    // ---- the guest receives

    Packet receives(int op) {
        run();
        Packet packet = fromHost.poll();
        if (packet == null) {
            return fail("no packet, expected op " + op);
        }
        assertEquals(op, packet.op(), packet::toString);
        return packet;
    }

    @Nullable
    Packet receivesAny() {
        run();
        return fromHost.poll();
    }

    void receivesNothing() {
        run();
        assertNull(fromHost.peek());
    }

    @Override
    public int room() {
        return buffers > 0 ? room : -1;
    }

    @Override
    public void begin(ByteBuf h) {
        assertEquals(VsockHost.HOST_CID, VsockHeader.srcCid(h, 0));
        assertEquals(CID, VsockHeader.dstCid(h, 0));
        begun.clear().writeBytes(h, 0, VsockHeader.BYTES);
        payload.clear();
    }

    @Override
    public void append(ByteBuf b, int at, int len) {
        payload.writeBytes(b, at, len);
    }

    @Override
    public void commit() {
        assertEquals(payload.readableBytes(), VsockHeader.len(begun, 0));
        byte[] bytes = new byte[payload.readableBytes()];
        payload.readBytes(bytes);
        buffers--;
        fromHost.add(new Packet(
                VsockHeader.dstPort(begun, 0),
                VsockHeader.srcPort(begun, 0),
                VsockHeader.op(begun, 0),
                VsockHeader.flags(begun, 0),
                VsockHeader.bufAlloc(begun, 0),
                VsockHeader.fwdCnt(begun, 0),
                bytes));
    }

    @Override
    public void flush() {
        flushes++;
    }

    @Override
    public void close() {
        host.onDeviceDown();
        run();
        // the loop owns nothing, and its shutdown would wait in real time
    }
}
