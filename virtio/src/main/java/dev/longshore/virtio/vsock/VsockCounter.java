package dev.longshore.virtio.vsock;

/** What {@link VsockCounters} counts; each has one writer, the device's event loop. */
public enum VsockCounter {
    STREAMS_FROM_GUEST("virtio.vsock.streams.opened", "by=guest", "Streams the guest opened to a listener of ours."),
    STREAMS_TO_GUEST("virtio.vsock.streams.opened", "by=host", "Streams the host opened and the guest accepted."),
    STREAMS_ENDED("virtio.vsock.streams.ended", "", "Streams of either side that are over."),
    REQUESTS_REFUSED(
            "virtio.vsock.requests.refused", "reason=no_listener", "The guest's requests for ports nobody listens on."),
    REQUESTS_OVER_LIMIT(
            "virtio.vsock.requests.refused", "reason=limit", "The guest's requests beyond the bound on its streams."),
    CONNECTS_REFUSED("virtio.vsock.connects.failed", "reason=refused", "Connects of the host answered by RST."),
    CONNECTS_TIMED_OUT("virtio.vsock.connects.failed", "reason=timeout", "Connects of the host without an answer."),
    STREAMS_RESET(
            "virtio.vsock.streams.reset", "", "Open streams ended by RST of the guest, or by the end of the device."),
    BYTES_FROM_GUEST("virtio.vsock.bytes", "direction=fromGuest", "Payload received from the guest, in bytes."),
    BYTES_TO_GUEST("virtio.vsock.bytes", "direction=toGuest", "Payload sent to the guest, in bytes."),
    PACKETS_FROM_GUEST("virtio.vsock.packets", "direction=fromGuest", "Packets received, the dropped ones included."),
    PACKETS_TO_GUEST("virtio.vsock.packets", "direction=toGuest", "Packets sent."),
    DROPPED_MALFORMED(
            "virtio.vsock.packets.dropped",
            "reason=malformed",
            "Packets whose header is cut off, or whose payload is missing or too long."),
    DROPPED_WRONG_SOURCE(
            "virtio.vsock.packets.dropped", "reason=wrong_source", "Packets with a source that is not the guest."),
    DROPPED_UNSUPPORTED(
            "virtio.vsock.packets.dropped",
            "reason=unsupported",
            "Packets for another context, of an unknown type or operation: answered by RST."),
    DROPPED_NO_STREAM(
            "virtio.vsock.packets.dropped",
            "reason=no_stream",
            "Packets of streams that do not exist: answered by RST, except RST."),
    DROPPED_CLOSED("virtio.vsock.packets.dropped", "reason=closed", "Packets of streams we already closed."),
    VIOLATIONS(
            "virtio.vsock.streams.violated",
            "",
            "Streams reset as the guest broke the protocol: more than the credit, bytes after the end, a second request."),
    BUFFERS_TOO_SMALL(
            "virtio.vsock.buffers.too_small",
            "",
            "Buffers of the guest that not even a header fits into: given back empty."),
    RESETS_DROPPED("virtio.vsock.resets.dropped", "", "RST answers given up because too many waited already.");

    private final String metric;
    private final String tags;
    private final String help;

    VsockCounter(String metric, String tags, String help) {
        this.metric = metric;
        this.tags = tags;
        this.help = help;
    }

    /** Its name among the daemon's metrics. */
    public String metric() {
        return metric;
    }

    /** {@code key=value}, or "". */
    public String tags() {
        return tags;
    }

    /** One sentence for people. */
    public String help() {
        return help;
    }
}
