package dev.longshore.virtio.vsock;

import io.netty.buffer.ByteBuf;

/** The payload of the packet at hand, still in the guest's memory: it may change, so each byte is read once. */
public interface PayloadFromGuest {
    /** Appends the next {@code bytes} bytes of the payload to {@code dst}, which has room; never more than the header's len in all. */
    void readTo(ByteBuf dst, int bytes);
}
