package dev.longshore.vpnkit.flow;

import io.netty.buffer.ByteBuf;
import java.net.InetSocketAddress;
import org.jspecify.annotations.Nullable;

/**
 * The host's end of a flow, as its transport sees it: a host socket, or a service inside the daemon.
 *
 * <p>Confined to the link's event loop. After {@link #abort}, and after it has called {@link GuestSide#hostClosed}, its
 * methods do nothing but release what they are given.
 */
public interface HostSide {
    /** The guest's next bytes. Takes ownership. They may wait for {@link #flush}. */
    void deliver(ByteBuf data);

    /** The batch is complete: write out. */
    void flush();

    /** The guest's FIN: nothing follows what has been delivered. */
    void guestFinished();

    /** Bytes it would hold for a slow receiver beyond those it holds now; 0 or more. The guest's window follows it. */
    int room();

    /** Bytes it holds now that the receiver has not taken. */
    int held();

    /** False: stop giving, enough is waiting for the guest. True: go on. Starts as false. */
    void wantMore(boolean wanted);

    /** The flow failed: releases everything and passes the failure on as RST. Idempotent. */
    void abort();

    /** What the host socket is bound to; null if there is none, as in services of ours. For observers only. */
    default @Nullable InetSocketAddress hostAddress() {
        return null;
    }
}
