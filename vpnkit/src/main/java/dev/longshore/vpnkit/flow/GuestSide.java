package dev.longshore.vpnkit.flow;

import io.netty.buffer.ByteBuf;
import org.jspecify.annotations.Nullable;

/**
 * The guest's end of a flow, as a {@link HostSide} sees it. Confined to the link's event loop; every method may be called
 * at any time, and does nothing when the flow has ended, except that buffers are released.
 */
public interface GuestSide {
    /** Bytes for the guest. Takes ownership. More than wanted (see {@link HostSide#wantMore}) is taken too. */
    void fromHost(ByteBuf data);

    /** What was given so far shall go out. */
    void fromHostComplete();

    /** The remote's FIN: nothing follows what was given. Idempotent. */
    void hostFinished();

    /** {@link HostSide#room} has grown. */
    void hostHasRoom();

    /**
     * The host's end is gone: it gives and takes nothing any more. In good order after {@link #hostFinished} and without a
     * cause, a failure otherwise.
     */
    void hostClosed(@Nullable Throwable cause);
}
