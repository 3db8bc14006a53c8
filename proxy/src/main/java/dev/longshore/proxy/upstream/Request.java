package dev.longshore.proxy.upstream;

import io.netty.buffer.ByteBuf;
import org.jspecify.annotations.Nullable;

/** A request as its sender needs to know it; it may be sent several times. Confined to the sender's event loop. */
public interface Request {
    String method();

    /** As in the request line. */
    String target();

    boolean hasBody();

    boolean offersUpgrade();

    /**
     * Start line and header section. The caller owns the buffer.
     *
     * @param proxyAuthorization to send, or null for none
     */
    ByteBuf head(@Nullable String proxyAuthorization);

    /**
     * A request without consequences to the same destination, whose answer tells whether the proxy would take this one: sent before a
     * body that could not be sent twice. The caller owns the buffer.
     */
    ByteBuf probe(@Nullable String proxyAuthorization);

    /** Method of {@link #probe}: a safe one (RFC 9110 §9.2.1), should the proxy pass it on. */
    String PROBE_METHOD = "OPTIONS";

    /** The guest speaks to the proxy itself, which may ask it for credentials. */
    default boolean authenticatesItself() {
        return false;
    }
}
