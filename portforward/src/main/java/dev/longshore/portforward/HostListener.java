package dev.longshore.portforward;

import io.netty.util.concurrent.Future;

/** The host's end of one published port. Confined to the link's event loop. */
interface HostListener {
    /**
     * Binds. Called once. A failure's cause goes into {@link BindFailure#of}; a listener that fails holds nothing.
     *
     * @return what is bound, the port resolved
     */
    Future<HostEndpoint> open();

    /** Unbinds at once and ends every connection and flow of this port. Idempotent, and allowed before or during open. */
    void close();

    /** Why the socket, once bound, isn't now; empty if it is. */
    String trouble();
}
