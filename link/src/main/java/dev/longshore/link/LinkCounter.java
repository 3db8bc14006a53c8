package dev.longshore.link;

/** What is counted on a link. */
public enum LinkCounter {
    FRAMES_FROM_GUEST("link.frames", "direction=fromGuest", "Frames given to the stack."),
    FRAMES_TO_GUEST("link.frames", "direction=toGuest", "Frames given to the guest."),
    BYTES_FROM_GUEST("link.bytes", "direction=fromGuest", "Bytes of the frames given to the stack."),
    BYTES_TO_GUEST("link.bytes", "direction=toGuest", "Bytes of the frames given to the guest."),
    BLOCKED("link.blocked", "", "Times that the carrier had no room for a frame."),
    DROPPED_RUNT("link.dropped", "reason=runt", "From the guest: shorter than an Ethernet header."),
    DROPPED_OVERSIZE("link.dropped", "reason=oversize", "From the guest: longer than 65,550 bytes."),
    DROPPED_CHECKSUM_FIELD(
            "link.dropped",
            "reason=checksum_field",
            "From the guest: the checksum field to complete is not in the frame."),
    DROPPED_SEGMENTATION(
            "link.dropped",
            "reason=segmentation",
            "From the guest: segmentation not agreed on, or with impossible sizes."),
    DROPPED_NO_MEMORY("link.dropped", "reason=no_memory", "From the guest: the stack keeps too many frames."),
    DROPPED_SINK_FAILED(
            "link.dropped", "reason=sink_failed", "From the guest: the stack failed on it, which is a bug."),
    DROPPED_NO_ADDRESS("link.dropped", "reason=no_address", "From a guest whose socket cannot be answered."),
    DROPPED_TOO_LARGE("link.dropped", "reason=too_large", "To the guest: larger than the link carries."),
    DROPPED_OFFLOAD("link.dropped", "reason=offload", "To the guest: asks for what was not agreed on."),
    DROPPED_DISCONNECTED("link.dropped", "reason=disconnected", "To a guest that left before it had read them."),
    DROPPED_REFUSED("link.dropped", "reason=refused", "To the guest: the host's kernel does not take this frame.");

    private final String metric;
    private final String tags;
    private final String help;

    LinkCounter(String metric, String tags, String help) {
        this.metric = metric;
        this.tags = tags;
        this.help = help;
    }

    public String metric() {
        return metric;
    }

    /** {@code key=value} pairs, separated by commas; empty for none. */
    public String tags() {
        return tags;
    }

    public String help() {
        return help;
    }
}
