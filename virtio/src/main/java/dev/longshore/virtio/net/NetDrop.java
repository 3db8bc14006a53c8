package dev.longshore.virtio.net;

/** Why a frame was dropped at the link. */
public enum NetDrop {
    RUNT("From the guest: shorter than an Ethernet header, or than virtio's own."),
    OVERSIZE("From the guest: longer than 65,550 bytes."),
    BAD_CHECKSUM_FIELD("From the guest: the checksum field it asks to complete is not in the frame."),
    BAD_SEGMENTATION("From the guest: a kind of segmentation that is not negotiated, or with impossible sizes."),
    NO_MEMORY("From the guest: the stack keeps so many frames that there is no memory for more."),
    SINK_FAILED("From the guest: the stack failed on it, which is a bug."),
    TOO_LARGE_FOR_GUEST("To the guest: larger than the guest takes."),
    OFFLOAD_NOT_NEGOTIATED("To the guest: asks for an offload that was not negotiated."),
    GUEST_BUFFERS_TOO_SMALL("To the guest: its receive buffers can never hold the frame.");

    private final String help;

    NetDrop(String help) {
        this.help = help;
    }

    /** One sentence for people. */
    public String help() {
        return help;
    }
}
