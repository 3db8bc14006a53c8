package dev.longshore.vpnkit.ethernet;

import dev.longshore.packet.link.OutFrame;
import dev.longshore.packet.wire.EthernetHeader;
import dev.longshore.vpnkit.count.Counters;
import io.netty.buffer.Unpooled;
import io.netty.util.concurrent.EventExecutor;
import io.netty.util.concurrent.ScheduledFuture;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * The addresses of one family whose station is being asked for, and the frames that wait for the answer: RFC 1122 §2.3.2,
 * RFC 4861 §7.2.2. How it is asked is the caller's. Confined to the link's event loop.
 *
 * <p>Bounded: {@link #MAX_ASKED} addresses at a time, {@link #MAX_HELD_BYTES} of frames for each.
 */
final class Resolution {
    static final int MAX_ASKED = 8;

    /** A datagram of 65,507 bytes in the fragments of an MTU of 576; less than Linux' unres_qlen_bytes. */
    static final int MAX_HELD_BYTES = 80 << 10;

    /** RFC 4861 §10: MAX_MULTICAST_SOLICIT, RETRANS_TIMER. RFC 1122 §2.3.2.1 asks for no more than one question a second. */
    static final int QUESTIONS = 3;

    static final long RETRANSMIT_MILLIS = 1000;

    private final EthernetLayer ethernet;
    private final EventExecutor loop;
    private final Counters<EthernetCounter> counters;
    private final Asker asker;
    private final List<Asked> asked = new ArrayList<>();

    /** Knows how to ask. */
    interface Asker {
        /** Asks all stations who has this address. */
        void ask(long hi, long lo);

        /** Nobody has said anything. */
        void onNobody(long hi, long lo);
    }

    private static final class Asked {
        final long hi;
        final long lo;
        final Deque<OutFrame> held = new ArrayDeque<>();
        int heldBytes;
        int questions;

        @Nullable
        ScheduledFuture<?> timer;

        Asked(long hi, long lo) {
            this.hi = hi;
            this.lo = lo;
        }
    }

    Resolution(EthernetLayer ethernet, EventExecutor loop, Counters<EthernetCounter> counters, Asker asker) {
        this.ethernet = ethernet;
        this.loop = loop;
        this.counters = counters;
        this.asker = asker;
    }

    /**
     * Takes a copy of a frame whose station is not known, and asks for that. A frame for which there is no place is counted, and
     * lost as any packet may be; so is a GSO segment, whose sender has been talking to a station that is forgotten, and will
     * send it again.
     */
    void hold(OutFrame out, long hi, long lo) {
        Asked entry = asked(hi, lo);
        if (entry == null || out.gsoType() != OutFrame.GSO_NONE) {
            counters.increment(EthernetCounter.DROPPED_UNRESOLVED);
            return;
        }
        entry.heldBytes += out.bytes();
        while (entry.heldBytes > MAX_HELD_BYTES && !entry.held.isEmpty()) {
            OutFrame oldest = entry.held.removeFirst(); // RFC 4861 §7.2.2: the newest stay
            entry.heldBytes -= oldest.bytes();
            oldest.release();
            counters.increment(EthernetCounter.DROPPED_UNRESOLVED);
        }
        OutFrame copy = new OutFrame(Unpooled.directBuffer(out.bytes()));
        out.copyTo(copy.head());
        if (out.checksumStart() >= 0) {
            copy.needsChecksum(out.checksumStart(), out.checksumOffset());
        }
        entry.held.addLast(copy);
    }

    /**
     * Asks whether the station of this address is still there, as packets to it are not answered (RFC 1122 §2.3.2.1 (4)). Until
     * {@link Asker#onNobody} it is believed to be.
     */
    void verify(long hi, long lo) {
        asked(hi, lo);
    }

    /** The address as one that is asked for; null if there are too many. */
    private @Nullable Asked asked(long hi, long lo) {
        Asked known = find(hi, lo);
        if (known != null || asked.size() == MAX_ASKED) {
            return known;
        }
        Asked entry = new Asked(hi, lo);
        asked.add(entry);
        ask(entry);
        return entry;
    }

    private @Nullable Asked find(long hi, long lo) {
        for (int i = 0; i < asked.size(); i++) {
            Asked entry = asked.get(i);
            if (entry.lo == lo && entry.hi == hi) {
                return entry;
            }
        }
        return null;
    }

    private void ask(Asked entry) {
        entry.timer = loop.schedule(() -> onNoAnswer(entry), RETRANSMIT_MILLIS, TimeUnit.MILLISECONDS);
        entry.questions++;
        asker.ask(entry.hi, entry.lo);
        ethernet.flush();
    }

    private void onNoAnswer(Asked entry) {
        if (entry.questions < QUESTIONS) {
            ask(entry);
            return;
        }
        asked.remove(entry);
        drop(entry);
        asker.onNobody(entry.hi, entry.lo);
    }

    private void drop(Asked entry) {
        ScheduledFuture<?> timer = entry.timer;
        if (timer != null) {
            timer.cancel(false);
        }
        counters.add(EthernetCounter.DROPPED_UNRESOLVED, entry.held.size());
        entry.held.forEach(OutFrame::release);
        entry.held.clear();
    }

    /** This address is at {@code mac}: what waited for that goes there. */
    void onFound(long hi, long lo, long mac) {
        Asked entry = asked.isEmpty() ? null : find(hi, lo);
        if (entry == null) {
            return;
        }
        asked.remove(entry);
        while (!entry.held.isEmpty()) {
            OutFrame next = entry.held.removeFirst();
            EthernetHeader.setDestination(next.head(), 0, mac);
            if (!ethernet.send(next)) {
                counters.increment(EthernetCounter.DROPPED_NO_ROOM);
            }
            next.release();
        }
        drop(entry);
        ethernet.flush();
    }

    /** How many addresses are being asked for. */
    int size() {
        return asked.size();
    }

    /** The guest went away: what waits is dropped. */
    void clear() {
        asked.forEach(this::drop);
        asked.clear();
    }
}
