package dev.longshore.vpnkit.ethernet;

import dev.longshore.vpnkit.count.Counted;

/** What the link layer counts. */
public enum EthernetCounter implements Counted {
    FRAMES_FROM_GUEST("vpnkit.frames", "direction=fromGuest", "Frames received from the guest."),
    BYTES_FROM_GUEST("vpnkit.bytes", "direction=fromGuest", "Bytes of frames received from the guest."),
    FRAMES_TO_GUEST("vpnkit.frames", "direction=toGuest", "Frames sent to the guest; a large segment is one."),
    BYTES_TO_GUEST("vpnkit.bytes", "direction=toGuest", "Bytes of frames sent to the guest."),
    ARP_ANSWERED("vpnkit.arp.answered", "", "ARP questions for our addresses, answered."),
    ARP_HEARD("vpnkit.arp.heard", "", "ARP answers and announcements of the guest, and questions for others."),
    ARP_ASKED("vpnkit.arp.asked", "", "ARP questions sent for addresses of the guest."),
    NDP_ANSWERED("vpnkit.ndp.answered", "", "Neighbor solicitations for our addresses, answered."),
    NDP_HEARD("vpnkit.ndp.heard", "", "Neighbor advertisements of the guest, and solicitations for others."),
    NDP_ASKED("vpnkit.ndp.asked", "", "Neighbor solicitations sent for addresses of the guest."),
    DROPPED_SHORT("vpnkit.packets.dropped", "layer=ethernet,reason=short", "Frames too short for an Ethernet header."),
    DROPPED_SOURCE(
            "vpnkit.packets.dropped",
            "layer=ethernet,reason=source",
            "Frames with a group address, none or ours as source."),
    DROPPED_DESTINATION(
            "vpnkit.packets.dropped",
            "layer=ethernet,reason=destination",
            "Frames to another station or to multicast."),
    DROPPED_IPV6("vpnkit.packets.dropped", "layer=ethernet,reason=ipv6", "IPv6 on a network without it."),
    DROPPED_TYPE("vpnkit.packets.dropped", "layer=ethernet,reason=type", "Frames of a type nobody here speaks."),
    DROPPED_BAD_ARP("vpnkit.packets.dropped", "layer=ethernet,reason=bad_arp", "ARP packets that make no sense."),
    DROPPED_NO_ROOM(
            "vpnkit.packets.dropped",
            "layer=ethernet,reason=no_room",
            "Questions and answers of ARP and neighbor discovery, and packets that waited for one, the guest had no room"
                    + " for."),
    DROPPED_BAD_NDP(
            "vpnkit.packets.dropped", "layer=ethernet,reason=bad_ndp", "Neighbor discovery that claims our addresses."),
    DROPPED_UNRESOLVED(
            "vpnkit.packets.dropped",
            "layer=ethernet,reason=unresolved",
            "Packets to an address of the link for which no station answered, or too many to wait for it.");

    private final String metric;
    private final String tags;
    private final String help;

    EthernetCounter(String metric, String tags, String help) {
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
