package dev.longshore.vpnkit.flow;

import dev.longshore.packet.wire.IpAddress;
import org.jspecify.annotations.Nullable;

/** Why a flow is over. Immutable. */
public sealed interface FlowEnd {
    /** FIN both ways, all of it acknowledged. */
    record Closed() implements FlowEnd {}

    /** RST from the guest, or its SYN was followed by another one. */
    record GuestReset() implements FlowEnd {}

    /** The guest refused our SYN. */
    record GuestRefused() implements FlowEnd {}

    /** The guest did not answer: a SYN, data, or keep-alive probes. */
    record GuestSilent() implements FlowEnd {}

    /** The guest's kernel said by ICMP that it does not get there. */
    record GuestUnreachable() implements FlowEnd {}

    /** Nobody on the guest's link answers for {@code address}, the guest's or that of the station before it. */
    record GuestAbsent(IpAddress address) implements FlowEnd {}

    /** No connection to the remote; {@code reason} is a dial result in words. */
    record NotConnected(String reason) implements FlowEnd {}

    /** The host's side was reset or failed. */
    record HostFailed(@Nullable Throwable cause) implements FlowEnd {}

    /** The host's side was closed, and the guest went on sending, or never closed its own. */
    record HostGone() implements FlowEnd {}

    /** Too many flows. */
    record Evicted() implements FlowEnd {}

    /** The guest's device went away, or the daemon stops. */
    record LinkDown() implements FlowEnd {}

    /** A bug of ours, logged where it happened. */
    record Failed() implements FlowEnd {}
}
