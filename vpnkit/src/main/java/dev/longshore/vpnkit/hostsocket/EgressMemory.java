package dev.longshore.vpnkit.hostsocket;

import java.util.concurrent.TimeUnit;

/**
 * What the {@link EgressGate} said of a flow's last remote, so that it is asked once a second and not for each packet. Names,
 * and who has an address, may change meanwhile. Confined to the link's event loop.
 */
public final class EgressMemory {
    private static final long HOLDS_NANOS = TimeUnit.SECONDS.toNanos(1);

    private boolean judged;
    private long remoteHi;
    private long remoteLo;
    private int remotePort;
    private int epoch;
    private long at;
    private EgressGate.Verdict verdict = EgressGate.Verdict.LATER;

    /** As {@link EgressGate#judge}; {@code now} in nanoseconds. Only while the gate is active. */
    public EgressGate.Verdict judge(
            EgressGate gate, int protocol, long guestHi, long guestLo, long hi, long lo, int port, long now) {
        boolean same = judged && lo == remoteLo && hi == remoteHi && port == remotePort;
        if (same && epoch == gate.epoch() && now - at < HOLDS_NANOS && verdict != EgressGate.Verdict.LATER) {
            return verdict;
        }
        boolean again = same && verdict != EgressGate.Verdict.LATER;
        verdict = gate.judge(protocol, guestHi, guestLo, hi, lo, port, again, verdict == EgressGate.Verdict.ADMIT);
        judged = true;
        remoteHi = hi;
        remoteLo = lo;
        remotePort = port;
        epoch = gate.epoch();
        at = now;
        return verdict;
    }

    /** The last remote judged anew, after the gate has changed; true if it is denied now, or there was none. */
    public boolean isDenied(
            EgressGate gate, int protocol, long guestHi, long guestLo, long hi, long lo, int port, long now) {
        return judged
                ? judge(gate, protocol, guestHi, guestLo, remoteHi, remoteLo, remotePort, now)
                        == EgressGate.Verdict.DENY
                : judge(gate, protocol, guestHi, guestLo, hi, lo, port, now) == EgressGate.Verdict.DENY;
    }
}
