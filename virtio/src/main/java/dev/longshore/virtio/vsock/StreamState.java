package dev.longshore.virtio.vsock;

/** Life of a stream: virtio 1.2, 5.10.6.4 to 5.10.6.6. One total function for each event, without effects. */
enum StreamState {
    /** We asked for it; REQUEST is sent or waits for a buffer of the guest. */
    REQUESTED,
    /** Bytes flow; either direction may have been shut down. */
    ESTABLISHED,
    /** We closed it: SHUTDOWN of both directions, then the guest's RST is awaited for a while. */
    CLOSING,
    /** A RST of ours waits for a buffer of the guest; whatever the guest still sends is ignored. */
    RESETTING,
    /** Unknown to both sides. */
    CLOSED;

    /** The guest sent RESPONSE. Outside of REQUESTED it is a breach of the protocol. */
    StreamState onResponse() {
        return switch (this) {
            case REQUESTED -> ESTABLISHED;
            case ESTABLISHED -> RESETTING;
            case CLOSING, RESETTING, CLOSED -> this;
        };
    }

    /** The guest has now shut down both directions. */
    StreamState onShutdownOfBoth() {
        return switch (this) {
            case REQUESTED, ESTABLISHED, CLOSING, RESETTING -> RESETTING; // RST is the confirmation
            case CLOSED -> CLOSED;
        };
    }

    /** The host's side closed the stream. */
    StreamState onHostClose(boolean abort) {
        return switch (this) {
            case REQUESTED -> RESETTING;
            case ESTABLISHED -> abort ? RESETTING : CLOSING;
            case CLOSING, RESETTING, CLOSED -> this;
        };
    }

    /** The guest broke the protocol, or did not answer in time. */
    StreamState onFailure() {
        return this == CLOSED ? CLOSED : RESETTING;
    }

    /** Bytes may be sent and received. */
    boolean isOpen() {
        return this == ESTABLISHED;
    }
}
