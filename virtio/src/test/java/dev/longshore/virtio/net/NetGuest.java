package dev.longshore.virtio.net;

import dev.longshore.packet.wire.VirtioNetHeader;
import dev.longshore.virtio.vhostuser.FrontEnd;
import dev.longshore.virtio.virtqueue.DriverRing;
import dev.longshore.virtio.virtqueue.GuestRam;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The guest's network driver on a scripted front end. */
final class NetGuest {
    /** A frame from the device, and the header that came with it. */
    static final class Received {
        final ByteBuffer header;
        final byte[] frame;

        Received(byte[] bytes) {
            header = ByteBuffer.wrap(bytes, 0, VirtioNetHeader.BYTES).slice().order(ByteOrder.LITTLE_ENDIAN);
            frame = Arrays.copyOfRange(bytes, VirtioNetHeader.BYTES, bytes.length);
        }

        int buffers() {
            return header.getShort(10);
        }
    }

    private final FrontEnd front;
    private final GuestRam ram;
    private final int receiveq;
    private final int transmitq;
    private final Map<Integer, Long> posted = new HashMap<>();
    private final Map<Integer, Integer> postedBytes = new HashMap<>();
    private final Deque<Long> spare = new ArrayDeque<>();

    NetGuest(FrontEnd front, GuestRam ram) {
        this(front, ram, 0);
    }

    /** The driver of one queue pair. */
    NetGuest(FrontEnd front, GuestRam ram, int pair) {
        this.front = front;
        this.ram = ram;
        this.receiveq = 2 * pair;
        this.transmitq = 2 * pair + 1;
    }

    /** The same guest behind another connection of its front end. */
    NetGuest on(FrontEnd other) {
        NetGuest same = new NetGuest(other, ram, receiveq / 2);
        same.posted.putAll(posted);
        same.postedBytes.putAll(postedBytes);
        same.spare.addAll(spare);
        return same;
    }

    static ByteBuffer header() {
        return ByteBuffer.allocate(VirtioNetHeader.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    }

    static byte[] header(int flags, int gso, int headerBytes, int gsoSize, int start, int offset) {
        return header().put((byte) flags)
                .put((byte) gso)
                .putShort((short) headerBytes)
                .putShort((short) gsoSize)
                .putShort((short) start)
                .putShort((short) offset)
                .array();
    }

    /** Sends a frame as Linux does: header in a descriptor of its own, the rest in pieces of {@code piece} bytes. */
    void send(byte[] header, byte[] frame, int piece, boolean indirect) {
        int pieces = (frame.length + piece - 1) / piece;
        DriverRing.Buffer[] buffers = new DriverRing.Buffer[1 + pieces];
        buffers[0] = DriverRing.readable(ram.allocate(header), header.length);
        for (int i = 0; i < pieces; i++) {
            byte[] part = Arrays.copyOfRange(frame, i * piece, Math.min(frame.length, (i + 1) * piece));
            buffers[1 + i] = DriverRing.readable(ram.allocate(part), part.length);
        }
        DriverRing ring = front.ring(transmitq);
        if (indirect) {
            ring.addIndirect(buffers);
        } else {
            ring.add(buffers);
        }
    }

    void send(byte[] frame) {
        send(header().array(), frame, 4096, false);
    }

    boolean kickTransmitq() {
        return front.exposeAndKick(transmitq);
    }

    /** Posts {@code count} receive buffers of {@code bytes} bytes, each in two descriptors, and kicks if wanted. */
    boolean post(int count, int bytes) {
        DriverRing ring = front.ring(receiveq);
        for (int i = 0; i < count; i++) {
            Long reuse = spare.poll();
            long at = reuse != null ? reuse : ram.allocate(65_600, 8);
            int first = Math.min(bytes, 12);
            int head = bytes > first
                    ? ring.add(DriverRing.writable(at, first), DriverRing.writable(at + first, bytes - first))
                    : ring.add(DriverRing.writable(at, bytes));
            posted.put(head, at);
            postedBytes.put(head, bytes);
        }
        return front.exposeAndKick(receiveq);
    }

    /** The next frame, put together from as many buffers as its header says, or null. */
    @Nullable
    Received receive() {
        DriverRing ring = front.ring(receiveq);
        DriverRing.Used used = ring.poll();
        if (used == null) {
            return null;
        }
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        take(used, all);
        int buffers = ByteBuffer.wrap(all.toByteArray())
                .order(ByteOrder.LITTLE_ENDIAN)
                .getShort(10);
        for (int i = 1; i < buffers; i++) {
            DriverRing.Used more = ring.poll();
            if (more == null) {
                throw new AssertionError("rx error: " + i + " buffers out of " + buffers + " missing");
            }
            take(more, all);
        }
        return new Received(all.toByteArray());
    }

    private void take(DriverRing.Used used, ByteArrayOutputStream into) {
        Long at = posted.remove(used.head());
        Integer bytes = postedBytes.remove(used.head());
        if (at == null || bytes == null || used.written() > bytes) {
            throw new AssertionError("used " + used + " of a buffer of " + bytes + " bytes");
        }
        into.writeBytes(ram.read(at, used.written()));
        spare.add(at);
    }
}
