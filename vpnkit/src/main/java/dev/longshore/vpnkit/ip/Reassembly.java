package dev.longshore.vpnkit.ip;

import dev.longshore.packet.wire.IpAddress;
import dev.longshore.packet.wire.Ipv4Header;
import dev.longshore.packet.wire.Ipv6Extension;
import dev.longshore.packet.wire.Ipv6Header;
import dev.longshore.vpnkit.count.Counters;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.ByteBufUtil;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Puts fragments of packets of one family together: RFC 791 §3.2, RFC 815; RFC 8200 §4.5; and, for both, RFC 5722's rule
 * that overlapping fragments spoil the packet. Confined to the link's event loop.
 *
 * <p>Theory of operation: offsets are multiples of 8 bytes, so one bit for each unit of 8 bytes says what has arrived;
 * the packet is complete when as many bits are set as its last fragment implies. Tiny and unordered fragments cost
 * nothing extra. Bounded: {@link #MAX_PACKETS} at a time, {@link #MAX_BYTES} of buffers, half a minute or one each;
 * the oldest yields to the newest.
 *
 * <p>Invariants: {@code bytes} is the sum of the capacities of all buffers; partials are in the order of their deadlines.
 */
final class Reassembly {
    static final int MAX_PACKETS = 64;
    static final int MAX_BYTES = 4 << 20;

    /** Linux net.ipv4.ipfrag_time. */
    static final long TIMEOUT_NANOS = TimeUnit.SECONDS.toNanos(30);

    /** RFC 8200 §4.5. */
    static final long TIMEOUT_NANOS_V6 = TimeUnit.SECONDS.toNanos(60);

    private static final int UNIT = 8;

    /** What the payload length of IPv6 can say; IPv4's packets are shorter by their header. */
    private static final int MAX_PAYLOAD = 65_535;

    private static final int BITMAP_LONGS = (MAX_PAYLOAD / UNIT + 1 + 63) / 64;

    private final ByteBufAllocator allocator;
    private final int headerBytes;
    private final int maxPayload;
    private final long timeoutNanos;
    private final List<Partial> partials = new ArrayList<>();
    private int bytes;

    /** The last {@link #add} dropped its fragment, and what there was of its packet. */
    private boolean refused;

    /** Older packets that the last {@link #add} gave up. */
    private int evicted;

    /** The packet that the last fragment went to, or null. */
    private @Nullable Partial lastTouched;

    private Reassembly(ByteBufAllocator allocator, int headerBytes, int maxPayload, long timeoutNanos) {
        this.allocator = allocator;
        this.headerBytes = headerBytes;
        this.maxPayload = maxPayload;
        this.timeoutNanos = timeoutNanos;
    }

    static Reassembly ofIpv4(ByteBufAllocator allocator) {
        return new Reassembly(
                allocator, Ipv4Header.MIN_BYTES, Ipv4Header.MAX_PACKET - Ipv4Header.MIN_BYTES, TIMEOUT_NANOS);
    }

    static Reassembly ofIpv6(ByteBufAllocator allocator) {
        return new Reassembly(allocator, Ipv6Header.BYTES, MAX_PAYLOAD, TIMEOUT_NANOS_V6);
    }

    /** One packet in the making: a header without options, then the payload, in {@link #packet}. */
    static final class Partial {
        final long sourceHi;
        final long sourceLo;
        final long destinationHi;
        final long destinationLo;
        final long key;
        final long deadline;
        final ByteBuf packet;
        final long[] have = new long[BITMAP_LONGS];
        int units;
        int payloadBytes = -1;
        int offload;
        int fragments;

        /** IPv6 only: what the first fragment says that its payload is; -1 until it is there. */
        int nextHeader = -1;

        Partial(
                long sourceHi,
                long sourceLo,
                long destinationHi,
                long destinationLo,
                long key,
                long deadline,
                ByteBuf packet) {
            this.sourceHi = sourceHi;
            this.sourceLo = sourceLo;
            this.destinationHi = destinationHi;
            this.destinationLo = destinationLo;
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
     * Takes one fragment: a valid IPv4 packet at {@code at} whose {@link Ipv4Header#isFragment} is true. Borrows.
     *
     * @return the complete packet, which the caller owns and releases; or null
     */
    @Nullable
    Partial add(ByteBuf b, int at, int offload, long now) {
        int from = at + Ipv4Header.headerBytes(b, at);
        Partial p = add(
                0,
                IpAddress.loOfV4(Ipv4Header.source(b, at)),
                0,
                IpAddress.loOfV4(Ipv4Header.destination(b, at)),
                Ipv4Header.identification(b, at) << 8 | Ipv4Header.protocol(b, at),
                b,
                from,
                Ipv4Header.fragmentOffset(b, at),
                at + Ipv4Header.totalLength(b, at) - from,
                Ipv4Header.moreFragments(b, at),
                offload,
                now);
        if (p != null) {
            finish(p, b, at);
        }
        return p;
    }

    /**
     * Takes one fragment of a valid IPv6 packet at {@code at} with a fragment header at {@code fragmentAt}. Borrows. Headers
     * between both have been looked at, and are left out of the complete packet.
     *
     * @return the complete packet, which the caller owns and releases; or null
     */
    @Nullable
    Partial addIpv6(ByteBuf b, int at, int fragmentAt, int offload, long now) {
        int from = fragmentAt + Ipv6Extension.FRAGMENT_BYTES;
        int offset = Ipv6Extension.fragmentOffset(b, fragmentAt);
        Partial p = add(
                Ipv6Header.sourceHi(b, at),
                Ipv6Header.sourceLo(b, at),
                Ipv6Header.destinationHi(b, at),
                Ipv6Header.destinationLo(b, at),
                Ipv6Extension.identification(b, fragmentAt) & 0xFFFF_FFFFL,
                b,
                from,
                offset,
                at + Ipv6Header.BYTES + Ipv6Header.payloadLength(b, at) - from,
                Ipv6Extension.moreFragments(b, fragmentAt),
                offload,
                now);
        Partial touched = lastTouched;
        lastTouched = null;
        if (touched != null && offset == 0) {
            touched.nextHeader = Ipv6Extension.nextHeader(b, fragmentAt);
        }
        if (p != null) {
            writeIpv6Header(p);
        }
        return p;
    }

    private @Nullable Partial add(
            long sourceHi,
            long sourceLo,
            long destinationHi,
            long destinationLo,
            long key,
            ByteBuf b,
            int from,
            int offset,
            int len,
            boolean more,
            int offload,
            long now) {
        refused = false;
        evicted = 0;
        lastTouched = null;
        if (len <= 0 || (more && len % UNIT != 0) || offset + len > maxPayload) {
            refused = true;
            return null;
        }
        Partial p = find(sourceHi, sourceLo, destinationHi, destinationLo, key, now);
        if (!accepts(p, b, from, offset, len, more)) {
            discard(p);
            refused = true;
            return null;
        }
        store(p, b, from, offset, len, offload);
        lastTouched = p;
        if (!more) {
            p.payloadBytes = offset + len;
        }
        if (p.isComplete()) {
            remove(p);
            return p;
        }
        shrink(p);
        return null;
    }

    private Partial find(long sourceHi, long sourceLo, long destinationHi, long destinationLo, long key, long now) {
        for (int i = 0; i < partials.size(); i++) {
            Partial p = partials.get(i);
            if (p.key == key
                    && p.sourceLo == sourceLo
                    && p.destinationLo == destinationLo
                    && p.sourceHi == sourceHi
                    && p.destinationHi == destinationHi) {
                return p;
            }
        }
        if (partials.size() == MAX_PACKETS) {
            dropOldest();
        }
        ByteBuf packet = allocator.directBuffer(2048, headerBytes + MAX_PAYLOAD);
        packet.writeZero(headerBytes);
        Partial p = new Partial(sourceHi, sourceLo, destinationHi, destinationLo, key, now + timeoutNanos, packet);
        partials.add(p);
        bytes += packet.capacity();
        return p;
    }

    /** False if the fragment contradicts what is there: then the whole packet is worthless. */
    private boolean accepts(Partial p, ByteBuf b, int from, int offset, int len, boolean more) {
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
                || (present == last - first + 1 && ByteBufUtil.equals(b, from, p.packet, headerBytes + offset, len));
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
        int at = headerBytes + offset;
        int before = p.packet.capacity();
        if (p.packet.writerIndex() < at + len) {
            p.packet.ensureWritable(at + len - p.packet.writerIndex());
            // What is missing may be quoted to the guest when the time is over, and the buffer's past is not the
            // guest's.
            p.packet.writeZero(at + len - p.packet.writerIndex());
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

    /** Writes the header of what is there of a packet whose first fragment is there, as if it were whole. */
    static void writeIpv6Header(Partial p) {
        int end = p.packet.writerIndex();
        p.packet.writerIndex(0);
        Ipv6Header.write(
                p.packet, p.nextHeader, Ipv6Output.HOP_LIMIT, p.sourceHi, p.sourceLo, p.destinationHi, p.destinationLo);
        p.packet.writerIndex(end);
        Ipv6Header.complete(p.packet, 0, end - Ipv6Header.BYTES);
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
        evicted++;
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

    /** Counts what the last {@link #add} has dropped. */
    void count(Counters<IpCounter> counters) {
        if (refused) {
            counters.increment(IpCounter.DROPPED_FRAGMENT);
        }
        if (evicted > 0) {
            counters.add(IpCounter.DROPPED_FRAGMENT_LIMIT, evicted);
        }
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

    /** Gives all up; how many there were. */
    int clear() {
        int given = partials.size();
        while (!partials.isEmpty()) {
            discard(partials.getLast());
        }
        return given;
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
