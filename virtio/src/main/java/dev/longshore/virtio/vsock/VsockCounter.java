package dev.longshore.virtio.vsock;

/** What {@link VsockCounters} counts; each has one writer, the device's event loop. */
public enum VsockCounter {
    /** Streams the guest opened to a listener of ours. */
    STREAMS_FROM_GUEST("virtio.vsock.streams.from_guest"),
    /** Streams the host opened and the guest accepted. */
    STREAMS_TO_GUEST("virtio.vsock.streams.to_guest"),
    /** Streams of either side that are over; what was opened and is not over is active. */
    STREAMS_ENDED("virtio.vsock.streams.ended"),
    /** Guest REQUESTs for ports nobody listens on. */
    REQUESTS_REFUSED("virtio.vsock.requests.refused"),
    /** Guest REQUESTs beyond {@link VsockLimits#streamsFromGuest}. */
    REQUESTS_OVER_LIMIT("virtio.vsock.requests.over_limit"),
    /** Connects of the host answered by RST. */
    CONNECTS_REFUSED("virtio.vsock.connects.refused"),
    /** Connects of the host without an answer. */
    CONNECTS_TIMED_OUT("virtio.vsock.connects.timed_out"),
    /** Open streams ended by RST of the guest, or by the end of the device. */
    STREAMS_RESET("virtio.vsock.streams.reset"),
    /** Payload received. */
    BYTES_FROM_GUEST("virtio.vsock.bytes.from_guest"),
    /** Payload sent. */
    BYTES_TO_GUEST("virtio.vsock.bytes.to_guest"),
    /** Packets received, the dropped ones included. */
    PACKETS_FROM_GUEST("virtio.vsock.packets.from_guest"),
    /** Packets sent. */
    PACKETS_TO_GUEST("virtio.vsock.packets.to_guest"),
    /** Packets whose header is cut off, or whose payload is missing or too long. */
    DROPPED_MALFORMED("virtio.vsock.packets.dropped.malformed"),
    /** Packets with a source that is not the guest. */
    DROPPED_WRONG_SOURCE("virtio.vsock.packets.dropped.wrong_source"),
    /** Packets for another context, a type we do not offer, or an operation nobody knows: answered by RST. */
    DROPPED_UNSUPPORTED("virtio.vsock.packets.dropped.unsupported"),
    /** Packets of streams that do not exist: answered by RST, except RST. */
    DROPPED_NO_STREAM("virtio.vsock.packets.dropped.no_stream"),
    /** Packets of streams we already closed. */
    DROPPED_CLOSED("virtio.vsock.packets.dropped.closed"),
    /** Packets that break the protocol: more than the credit, bytes after the end, a second REQUEST. The stream is reset. */
    VIOLATIONS("virtio.vsock.violations"),
    /** Buffers of the guest that not even a header fits into: given back empty. */
    BUFFERS_TOO_SMALL("virtio.vsock.buffers.too_small"),
    /** RST answers given up because too many waited already. */
    RESETS_DROPPED("virtio.vsock.resets.dropped");

    private final String metric;

    VsockCounter(String metric) {
        this.metric = metric;
    }

    /** Its name among the daemon's metrics. */
    public String metric() {
        return metric;
    }
}
