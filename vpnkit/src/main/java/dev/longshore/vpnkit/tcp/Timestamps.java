package dev.longshore.vpnkit.tcp;

import dev.longshore.packet.wire.Seq;
import java.util.concurrent.TimeUnit;

/**
 * The timestamps of one flow: RFC 7323 §3 (round trips) and §5 (PAWS, protection against wrapped sequence numbers). Exists
 * only for flows whose both ends speak them.
 *
 * <p>Confined to the link's event loop.
 */
final class Timestamps {
    /** RFC 7323 §5.4: between 1 ms and 1 s; Linux takes 1 ms. */
    static final long TICK = TimeUnit.MILLISECONDS.toNanos(1);

    /** RFC 7323 §5.5: after so long the guest's clock may have wrapped, and TS.Recent says nothing. */
    private static final long OUTDATED = TimeUnit.DAYS.toNanos(24);

    private final long startedAt;
    private final int offset;
    private int recent;
    private long recentAt;
    private int lastAckSent;

    /**
     * @param startedAt of the stack, nanoseconds
     * @param offset the same for all connections between two addresses and ports, so that our values never go back, and
     *     nothing a guest can compute
     */
    Timestamps(long startedAt, int offset) {
        this.startedAt = startedAt;
        this.offset = offset;
    }

    /** TSval of a segment sent now. */
    int value(long now) {
        return (int) ((now - startedAt) / TICK) + offset;
    }

    /** TSecr: TS.Recent. */
    int recent() {
        return recent;
    }

    /** The guest's SYN had this TSval. */
    void onSyn(int tsVal, int rcvNxt, long now) {
        recent = tsVal;
        recentAt = now;
        lastAckSent = rcvNxt;
    }

    /** PAWS, §5.3 (R1): the segment is from before the one that TS.Recent is of. */
    boolean isOld(int tsVal, long now) {
        return tsVal - recent < 0 && now - recentAt < OUTDATED;
    }

    /** RFC 6191 §2: a SYN from after everything that this connection has seen. */
    boolean isNewer(int tsVal) {
        return tsVal - recent > 0;
    }

    /** §4.3 (2), of a segment that is not old: the value to echo is of the first segment not acknowledged yet. */
    void onSegment(int tsVal, int seq, long now) {
        if (Seq.le(seq, lastAckSent)) {
            recent = tsVal;
            recentAt = now;
        }
    }

    /** A segment with this acknowledgment goes out. */
    void onAckSent(int rcvNxt) {
        lastAckSent = rcvNxt;
    }

    /** §4.1: nanoseconds since the segment went out that {@code tsEcr} echoes; negative if it can't be ours. */
    long roundTrip(int tsEcr, long now) {
        int ticks = value(now) - tsEcr;
        return ticks < 0 ? -1 : ticks * TICK;
    }
}
