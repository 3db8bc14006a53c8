package dev.longshore.vpnkit.flow;

import dev.longshore.packet.wire.IpAddress;
import io.netty.channel.ChannelHandler;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * TCP services inside the daemon, at addresses of ours that only the guest can reach: DNS, the HTTP proxy.
 *
 * <p>Confined to the link's event loop once the link is open; filled before.
 */
public final class Services {
    private record Endpoint(long hi, long lo, int port) {}

    private final Map<Endpoint, ChannelHandler> handlers = new HashMap<>();

    /**
     * A connection of the guest to (address, port) becomes a {@link FlowChannel} whose pipeline starts with
     * {@code initializer}: sharable, usually a ChannelInitializer. Replaces an earlier one.
     */
    public void register(IpAddress address, int port, ChannelHandler initializer) {
        handlers.put(new Endpoint(address.hi(), address.lo(), port), initializer);
    }

    public void unregister(IpAddress address, int port) {
        handlers.remove(new Endpoint(address.hi(), address.lo(), port));
    }

    /** True if a service is at this address: then its other ports are known to be closed. */
    public boolean isAt(long hi, long lo) {
        for (Endpoint endpoint : handlers.keySet()) {
            if (endpoint.hi == hi && endpoint.lo == lo) {
                return true;
            }
        }
        return false;
    }

    public @Nullable ChannelHandler find(long hi, long lo, int port) {
        return handlers.get(new Endpoint(hi, lo, port));
    }
}
