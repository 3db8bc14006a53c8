package dev.longshore.vpnkit.icmp;

import dev.longshore.vpnkit.count.Counted;

/** What the ICMP layer counts. */
public enum IcmpCounter implements Counted {
    ECHO_ANSWERED("vpnkit.icmp.echo.answered", "", "Pings to our own addresses, answered."),
    ECHO_FORWARDED("vpnkit.icmp.echo.forwarded", "", "Pings sent on by ping sockets of the host."),
    ECHO_REPLIED("vpnkit.icmp.echo.replied", "", "Answers of remotes, passed on to the guest."),
    ECHO_PROHIBITED("vpnkit.icmp.echo.prohibited", "", "Pings the host gave no socket for; the guest was told."),
    ECHO_DENIED("vpnkit.icmp.echo.denied", "", "Pings that the egress policy denies; the guest was told."),
    ECHO_UNKNOWN_SENDER(
            "vpnkit.packets.dropped",
            "layer=icmp,reason=unknown_sender",
            "Pings whose container was not known yet, and the egress policy has to know."),
    ERRORS_PASSED("vpnkit.icmp.echo.errors", "", "What the network said of pings, passed on to the guest."),
    ERRORS_FROM_GUEST("vpnkit.icmp.errors.received", "", "ICMP errors from the guest, passed to their transport."),
    DROPPED_HEADER("vpnkit.packets.dropped", "layer=icmp,reason=header", "Messages too short to be one."),
    DROPPED_CHECKSUM("vpnkit.packets.dropped", "layer=icmp,reason=checksum", "Messages with a wrong checksum."),
    DROPPED_TYPE("vpnkit.packets.dropped", "layer=icmp,reason=type", "Messages of a type that asks nothing of us."),
    DROPPED_QUOTE("vpnkit.packets.dropped", "layer=icmp,reason=quote", "Errors that quote no packet we could know."),
    DROPPED_NO_ROOM("vpnkit.packets.dropped", "layer=icmp,reason=no_room", "Answers the guest had no room for."),
    DROPPED_HOST_BUSY("vpnkit.packets.dropped", "layer=icmp,reason=host_busy", "Pings the host had no room for."),
    DROPPED_HOST_FAILED(
            "vpnkit.packets.dropped", "layer=icmp,reason=host_failed", "Pings the host's socket did not take.");

    private final String metric;
    private final String tags;
    private final String help;

    IcmpCounter(String metric, String tags, String help) {
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
}
