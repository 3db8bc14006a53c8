package dev.longshore.virtio.net;

/** Why a frame was dropped at the link. */
public enum NetDrop {
    /** From the guest: shorter than an Ethernet header, or than virtio's own. */
    RUNT,
    /** From the guest: longer than 65,550 bytes. */
    OVERSIZE,
    /** From the guest: the checksum field it asks to complete is not in the frame. */
    BAD_CHECKSUM_FIELD,
    /** From the guest: a kind of segmentation that is not negotiated, or with impossible sizes. */
    BAD_SEGMENTATION,
    /** From the guest: the stack keeps so many frames that there is no memory for more. */
    NO_MEMORY,
    /** From the guest: the stack failed on it, which is a bug. */
    SINK_FAILED,
    /** To the guest: larger than {@code maxFrameBytes}. */
    TOO_LARGE_FOR_GUEST,
    /** To the guest: asks for an offload that was not negotiated. */
    OFFLOAD_NOT_NEGOTIATED,
    /** To the guest: its receive buffers can never hold the frame. */
    GUEST_BUFFERS_TOO_SMALL
}
