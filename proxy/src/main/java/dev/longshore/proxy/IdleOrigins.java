package dev.longshore.proxy;

import dev.longshore.vpnkit.hostsocket.Destination;
import java.util.LinkedHashMap;
import org.jspecify.annotations.Nullable;

/**
 * The connections to origins that one guest connection keeps for its next request, so that authentication bound to a
 * connection never serves another client. Confined to the guest connection's event loop.
 */
final class IdleOrigins {
    private static final int MAX = 4;

    private final LinkedHashMap<Destination, OriginConnection> idle = new LinkedHashMap<>();

    @Nullable
    OriginConnection take(Destination destination) {
        OriginConnection origin = idle.remove(destination);
        return origin != null && origin.isOpen() ? origin : null;
    }

    void put(Destination destination, OriginConnection origin) {
        origin.setReading(true); // to see it close, or talk out of turn
        idle.values().removeIf(o -> !o.isOpen());
        if (idle.size() == MAX) {
            idle.pollFirstEntry().getValue().close();
        }
        idle.put(destination, origin);
    }

    void closeAll() {
        idle.values().forEach(OriginConnection::close);
        idle.clear();
    }
}
