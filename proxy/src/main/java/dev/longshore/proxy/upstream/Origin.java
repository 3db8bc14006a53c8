package dev.longshore.proxy.upstream;

import io.netty.buffer.ByteBuf;
import io.netty.channel.socket.DuplexChannel;
import org.jspecify.annotations.Nullable;

/** Who answers requests, one at a time: an origin, or a proxy in its place. Confined to its channel's event loop. */
public interface Origin {
    /** Sends a request and waits for its response. The body follows by {@link #write}, as long as {@link #isWritable}. */
    void begin(Request request, OriginConnection.Listener exchange);

    /** Takes ownership of {@code bytes}. */
    void write(ByteBuf bytes);

    void flush();

    boolean isWritable();

    boolean isOpen();

    /** Back-pressure from the guest. */
    void setReading(boolean wanted);

    /** Who hears, once, that the connection is closed by either side; null for nobody. */
    void onClose(@Nullable Runnable hears);

    /** Forgets the exchange, if one is in flight, and closes. Idempotent. */
    void close();

    /** What carries the bytes now. */
    DuplexChannel channel();
}
