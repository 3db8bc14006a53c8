package dev.longshore.vpnkit.tcp;

import dev.longshore.vpnkit.count.Counted;
import dev.longshore.vpnkit.flow.FlowEnd;

/** What TCP counts. */
public enum TcpCounter implements Counted {
    FLOWS_FROM_GUEST("vpnkit.tcp.flows.opened", "direction=fromGuest", "SYNs of the guest that were taken up."),
    FLOWS_TO_GUEST("vpnkit.tcp.flows.opened", "direction=toGuest", "Flows opened into the guest."),
    FLOWS_ACTIVE("vpnkit.tcp.flows.active", "", "Flows in any state now, TIME-WAIT included."),
    ENDED_CLOSED("vpnkit.tcp.flows.ended", "reason=closed", "Ended by FIN both ways."),
    ENDED_GUEST_RESET("vpnkit.tcp.flows.ended", "reason=guest_reset", "Ended by a RST of the guest."),
    ENDED_GUEST_FAILED(
            "vpnkit.tcp.flows.ended", "reason=guest_failed", "The guest refused, was unreachable or did not answer."),
    ENDED_NOT_CONNECTED("vpnkit.tcp.flows.ended", "reason=not_connected", "The remote could not be connected."),
    ENDED_HOST_FAILED("vpnkit.tcp.flows.ended", "reason=host_failed", "The host's side was reset, failed or left."),
    ENDED_OTHER("vpnkit.tcp.flows.ended", "reason=other", "Ended by a limit, the link or the daemon."),
    ENDED_BUG("vpnkit.tcp.flows.ended", "reason=bug", "Ended by a bug of ours; the log has it."),
    SYNS_OVER_DIAL_LIMIT(
            "vpnkit.packets.dropped", "layer=tcp,reason=dials", "SYNs not answered: too many dials are under way."),
    DIALS_EVICTED("vpnkit.tcp.dials.evicted", "", "Dials given up after some seconds, for others, at the limit."),
    HALF_OPEN_EVICTED("vpnkit.tcp.handshakes.evicted", "", "Unfinished handshakes given up for others, at the limit."),
    SYNS_OVER_FLOW_LIMIT("vpnkit.packets.dropped", "layer=tcp,reason=flows", "SYNs not answered: too many flows."),
    DROPPED_HEADER("vpnkit.packets.dropped", "layer=tcp,reason=header", "Segments with impossible lengths."),
    DROPPED_CHECKSUM("vpnkit.packets.dropped", "layer=tcp,reason=checksum", "Segments with a wrong checksum."),
    DROPPED_NO_CONNECTION(
            "vpnkit.packets.dropped",
            "layer=tcp,reason=no_connection",
            "Segments of no connection, without acknowledgment, where somebody may listen: port scans."),
    DROPPED_STRAY_RESET("vpnkit.packets.dropped", "layer=tcp,reason=stray_reset", "RST segments of no connection."),
    DROPPED_UNEXPECTED(
            "vpnkit.packets.dropped",
            "layer=tcp,reason=unexpected",
            "Segments that mean nothing where their connection stands: SYNs repeated during a dial, RST beside the window, no"
                    + " acknowledgment, text behind the FIN."),
    DROPPED_BEYOND_WINDOW(
            "vpnkit.packets.dropped", "layer=tcp,reason=beyond_window", "Segments whose end was beyond the window."),
    DROPPED_GAPS(
            "vpnkit.packets.dropped",
            "layer=tcp,reason=gaps",
            "Text out of order, in more pieces than are worth keeping."),
    DROPPED_NO_ROOM("vpnkit.packets.dropped", "layer=tcp,reason=no_room", "RST segments the guest had no room for."),
    DROPPED_MEMORY(
            "vpnkit.packets.dropped",
            "layer=tcp,reason=memory",
            "Text there was no memory for: the host takes too little."),
    SEGMENTS_FROM_GUEST("vpnkit.tcp.segments", "direction=fromGuest", "Segments from the guest, good or bad."),
    UNACCEPTABLE("vpnkit.tcp.segments.unacceptable", "", "Segments outside the window, answered by an ACK."),
    OLD_TIMESTAMPS(
            "vpnkit.tcp.segments.old", "", "Segments with a timestamp from the past (PAWS), answered by an ACK."),
    DUPLICATES("vpnkit.tcp.segments.duplicate", "", "Segments with text that had come before, told by D-SACK."),
    OUT_OF_ORDER("vpnkit.tcp.segments.out.of.order", "", "Segments ahead of their turn, or filling a gap."),
    RETRANSMITTED("vpnkit.tcp.segments.retransmitted", "", "Segments sent again after a timeout or duplicate ACKs."),
    TIMEOUTS("vpnkit.tcp.timeouts", "", "Times the retransmission timer fired."),
    TIMEOUTS_UNDONE("vpnkit.tcp.timeouts.undone", "", "Timeouts after which timestamps showed that nothing was lost."),
    TAIL_PROBES("vpnkit.tcp.tail.probes", "", "Last segments sent again to learn what is missing, RFC 8985 §7."),
    PROBES("vpnkit.tcp.probes", "", "Zero-window and keep-alive probes."),
    RESETS_TO_GUEST("vpnkit.tcp.resets", "direction=toGuest", "RST segments sent."),
    CHALLENGES("vpnkit.tcp.challenges", "", "Challenge ACKs, RFC 5961."),
    CHALLENGES_SUPPRESSED(
            "vpnkit.tcp.challenges.suppressed", "", "Segments that deserved a challenge ACK beyond the rate limit."),
    BYTES_FROM_GUEST("vpnkit.tcp.bytes", "direction=fromGuest", "Payload taken from the guest in order, in bytes."),
    BYTES_TO_GUEST("vpnkit.tcp.bytes", "direction=toGuest", "Payload the guest acknowledged, in bytes.");

    private final String metric;
    private final String tags;
    private final String help;

    TcpCounter(String metric, String tags, String help) {
        this.metric = metric;
        this.tags = tags;
        this.help = help;
    }

    @Override
    public String metric() {
        return metric;
    }

    @Override
    public String tags() {
        return tags;
    }

    @Override
    public String help() {
        return help;
    }

    /** What counts an end like {@code why}. */
    static TcpCounter of(FlowEnd why) {
        return switch (why) {
            case FlowEnd.Closed ignored -> ENDED_CLOSED;
            case FlowEnd.GuestReset ignored -> ENDED_GUEST_RESET;
            case FlowEnd.GuestRefused ignored -> ENDED_GUEST_FAILED;
            case FlowEnd.GuestSilent ignored -> ENDED_GUEST_FAILED;
            case FlowEnd.GuestUnreachable ignored -> ENDED_GUEST_FAILED;
            case FlowEnd.GuestAbsent ignored -> ENDED_GUEST_FAILED;
            case FlowEnd.NotConnected ignored -> ENDED_NOT_CONNECTED;
            case FlowEnd.HostFailed ignored -> ENDED_HOST_FAILED;
            case FlowEnd.HostGone ignored -> ENDED_HOST_FAILED;
            case FlowEnd.Evicted ignored -> ENDED_OTHER;
            case FlowEnd.LinkDown ignored -> ENDED_OTHER;
            case FlowEnd.Failed ignored -> ENDED_BUG;
        };
    }
}
