package dev.longshore.packet.link;

import io.netty.buffer.ByteBuf;

/**
 * Sees every frame that crosses a link, as it crosses: large segments uncut, partial checksums not completed. Confined to
 * the link's event loop; no method may throw, send or wait.
 */
public interface FrameTap {
    /** A frame from the guest, before anything has looked at it. From the reader to the writer index; borrowed. */
    void fromGuest(ByteBuf frame);

    /** A frame that the link has taken for the guest. Borrowed. */
    void toGuest(OutFrame frame);
}
