package dev.longshore.vpnkit.ip;

import dev.longshore.packet.wire.Ipv4Header;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.ByteBufUtil;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Puts fragments of IPv4 packets together: RFC 791 §3.2, RFC 815, and RFC 5722's rule that overlapping fragments spoil
 * the packet. Confined to the link's event loop.
 *
 * <p>Theory of operation: offsets are multiples of 8 bytes, so one bit for each unit of 8 bytes says what has arrived;
 * the packet is complete when as many bits are set as its last fragment implies. Tiny and unordered fragments cost
 * nothing extra. Bounded: {@link #MAX_PACKETS} at a time, {@link #MAX_BYTES} of buffers, {@link #TIMEOUT_NANOS} each;
 * the oldest yields to the newest.
 *
 * <p>Invariants: {@code bytes} is the sum of the capacities of all buffers; partials are in the order of their deadlines.
 */
final class Reassembly {
    static final int MAX_PACKETS = 64;
    static final int MAX_BYTES = 4 << 20;

    /** Linux net.ipv4.ipfrag_time. */
    static final long TIMEOUT_NANOS = TimeUnit.SECONDS.toNanos(30);

    private static final int UNIT = 8;
    private static final int MAX_PAYLOAD = Ipv4Header.MAX_PACKET - Ipv4Header.MIN_BYTES;
    private static final int BITMAP_LONGS = (MAX_PAYLOAD / UNIT + 1 + 63) / 64;

    private final ByteBufAllocator allocator;
    private final List<Partial> partials = new ArrayList<>();
    private int bytes;

    /** Why the last {@link #add} dropped something, or null. */
    private @Nullable IpCounter dropped;

    Reassembly(ByteBufAllocator allocator) {
        this.allocator = allocator;
    }

    /** One packet in the making: a header without options, then the payload, in {@link #packet}. */
    static final class Partial {
        final int source;
        final int destination;
        final int key;
        final long deadline;
        final ByteBuf packet;
        final long[] have = new long[BITMAP_LONGS];
        int units;
        int payloadBytes = -1;
        int offload;
        int fragments;

        Partial(int source, int destination, int key, long deadline, ByteBuf packet) {
            this.source = source;
            this.destination = destination;
            this.key = key;
            this.deadline = deadline;
            this.packet = packet;
        }

        boolean isComplete() {
            return payloadBytes >= 0 && units == (payloadBytes + UNIT - 1) / UNIT;
        }

        /** The first fragment has arrived, so an ICMP error could quote the transport's header. */
        boolean hasStart() {
            return (have[0] & 1) != 0;
        }
    }

    /**
     * Takes one fragment: a valid packet at {@code at} whose {@link Ipv4Header#isFragment} is true. Borrows.
     *
     * @return the complete packet, which the caller owns and releases; or null
     */
    @Nullable
    Partial add(ByteBuf b, int at, int offload, long now) {
        dropped = null;
        int headerBytes = Ipv4Header.headerBytes(b, at);
        int len = Ipv4Header.totalLength(b, at) - headerBytes;
        int offset = Ipv4Header.fragmentOffset(b, at);
        boolean more = Ipv4Header.moreFragments(b, at);
        if (len == 0 || (more && len % UNIT != 0) || offset + len > MAX_PAYLOAD) {
            dropped = IpCounter.DROPPED_FRAGMENT;
            return null;
        }
        Partial p = find(b, at, now);
        if (!accepts(p, b, at + headerBytes, offset, len, more)) {
            discard(p);
            dropped = IpCounter.DROPPED_FRAGMENT;
            return null;
        }
        store(p, b, at + headerBytes, offset, len, offload);
        if (!more) {
            p.payloadBytes = offset + len;
        }
        if (p.isComplete()) {
            remove(p);
            finish(p, b, at);
            return p;
        }
        shrink(p);
        return null;
    }

    private Partial find(ByteBuf b, int at, long now) {
        int source = Ipv4Header.source(b, at);
        int destination = Ipv4Header.destination(b, at);
        int key = Ipv4Header.identification(b, at) << 8 | Ipv4Header.protocol(b, at);
        for (int i = 0; i < partials.size(); i++) {
            Partial p = partials.get(i);
            if (p.key == key && p.source == source && p.destination == destination) {
                return p;
            }
        }
        if (partials.size() == MAX_PACKETS) {
            dropOldest();
        }
        ByteBuf packet = allocator.directBuffer(2048, Ipv4Header.MAX_PACKET);
        packet.writeZero(Ipv4Header.MIN_BYTES);
        Partial p = new Partial(source, destination, key, now + TIMEOUT_NANOS, packet);
        partials.add(p);
        bytes += packet.capacity();
        return p;
    }

    /** False if the fragment contradicts what is there: then the whole packet is worthless. */
    private static boolean accepts(Partial p, ByteBuf b, int from, int offset, int len, boolean more) {
        int end = offset + len;
        if (p.payloadBytes >= 0 && (more ? end > p.payloadBytes : end != p.payloadBytes)) {
            return false;
        }
        int present = 0;
        int first = offset / UNIT;
        int last = (end - 1) / UNIT;
        for (int unit = first; unit <= last; unit++) {
            present += (int) (p.have[unit >> 6] >>> unit) & 1;
        }
        if (!more && p.payloadBytes < 0 && highest(p) > last) {
            return false;
        }
        // The same fragment once more is harmless; the same bytes at another cut are an overlap like any other.
        return present == 0
                || (present == last - first + 1
                        && ByteBufUtil.equals(b, from, p.packet, Ipv4Header.MIN_BYTES + offset, len));
    }

    private static int highest(Partial p) {
        for (int i = BITMAP_LONGS - 1; i >= 0; i--) {
            if (p.have[i] != 0) {
                return (i << 6) + 63 - Long.numberOfLeadingZeros(p.have[i]);
            }
        }
        return -1;
    }

    private void store(Partial p, ByteBuf b, int from, int offset, int len, int offload) {
        int at = Ipv4Header.MIN_BYTES + offset;
        int before = p.packet.capacity();
        if (p.packet.writerIndex() < at + len) {
            p.packet.ensureWritable(at + len - p.packet.writerIndex());
            p.packet.writerIndex(at + len);
        }
        bytes += p.packet.capacity() - before;
        p.packet.setBytes(at, b, from, len);
        for (int unit = offset / UNIT; unit <= (offset + len - 1) / UNIT; unit++) {
            long bit = 1L << unit;
            if ((p.have[unit >> 6] & bit) == 0) {
                p.have[unit >> 6] |= bit;
                p.units++;
            }
        }
        p.fragments++;
        p.offload |= offload;
    }

    /** Writes the header of the whole packet, from that of its last arrived fragment. */
    private static void finish(Partial p, ByteBuf b, int at) {
        p.packet.setBytes(0, b, at, Ipv4Header.MIN_BYTES);
        p.packet.setByte(0, 0x45);
        p.packet.setShort(6, 0);
        Ipv4Header.complete(p.packet, 0, Ipv4Header.MIN_BYTES + p.payloadBytes);
    }

    private void shrink(Partial newest) {
        while (bytes > MAX_BYTES && partials.getFirst() != newest) {
            dropOldest();
        }
    }

    private void dropOldest() {
        dropped = IpCounter.DROPPED_FRAGMENT_LIMIT;
        discard(partials.getFirst());
    }

    private void discard(Partial p) {
        remove(p);
        p.packet.release();
    }

    private void remove(Partial p) {
        bytes -= p.packet.capacity();
        partials.remove(p);
    }

    /** What the last {@link #add} has to be counted as, besides its result; null if nothing was dropped. */
    @Nullable
    IpCounter dropped() {
        return dropped;
    }

    /** Removes and returns a packet whose time is over, or null. The caller owns and releases it. */
    @Nullable
    Partial pollExpired(long now) {
        Iterator<Partial> i = partials.iterator();
        if (i.hasNext()) {
            Partial oldest = i.next();
            if (now - oldest.deadline >= 0) {
                remove(oldest);
                return oldest;
            }
        }
        return null;
    }

    /** Nanoseconds until the oldest one's time is over; negative if there is none. */
    long nanosToNextDeadline(long now) {
        return partials.isEmpty() ? -1 : Math.max(0, partials.getFirst().deadline - now);
    }

    int size() {
        return partials.size();
    }

    int bytes() {
        return bytes;
    }

    void clear() {
        while (!partials.isEmpty()) {
            discard(partials.getLast());
        }
    }

    /** See the class comment. */
    boolean checkInvariants() {
        int sum = 0;
        for (int i = 0; i < partials.size(); i++) {
            sum += partials.get(i).packet.capacity();
            if (i > 0 && partials.get(i).deadline - partials.get(i - 1).deadline < 0) {
                throw new IllegalStateException("deadlines out of order");
            }
        }
        if (sum != bytes || partials.size() > MAX_PACKETS) {
            throw new IllegalStateException("bytes " + bytes + ", sum " + sum + ", packets " + partials.size());
        }
        return true;
    }
}
