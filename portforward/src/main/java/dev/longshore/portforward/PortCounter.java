package dev.longshore.portforward;

import dev.longshore.vpnkit.count.Counted;

/** What all published ports count together. */
public enum PortCounter implements Counted {
    DROPPED_CLIENT_FORGOTTEN(
            "portforward.datagrams.dropped",
            "reason=client_forgotten",
            "Answers of the guest to clients that made room for others, or of a port that is released."),
    DROPPED_CLIENT_UNREACHABLE(
            "portforward.datagrams.dropped",
            "reason=client_unreachable",
            "Answers of the guest that their clients, or the way there, refused."),
    DROPPED_HOST_BUSY(
            "portforward.datagrams.dropped", "reason=host_busy", "Answers of the guest that the host had no room for."),
    DROPPED_GUEST_REFUSED(
            "portforward.datagrams.dropped",
            "reason=guest_refused",
            "Datagrams of clients for which nobody in the guest listens.");

    private final String metric;
    private final String tags;
    private final String help;

    PortCounter(String metric, String tags, String help) {
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
