package dev.longshore.portforward;

import dev.longshore.vpnkit.flow.GuestConnector.UdpFlow;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * The clients of one UDP port, each with its flow into the guest, least recently used first. Confined to the link's event
 * loop. Times are nanoseconds of any origin that may overflow; they are compared by difference.
 */
final class UdpFlows {
    private static final class Entry {
        final UdpFlow flow;
        long lastUsed;

        Entry(UdpFlow flow, long now) {
            this.flow = flow;
            this.lastUsed = now;
        }
    }

    private final LinkedHashMap<InetSocketAddress, Entry> clients = new LinkedHashMap<>(16, 0.75f, true);
    private final long idleNanos;
    private final int maxClients;
    private final Traffic traffic;

    UdpFlows(UdpLimits limits, Traffic traffic) {
        this.idleNanos = limits.idle().toNanos();
        this.maxClients = limits.maxClients();
        this.traffic = traffic;
    }

    /** The client's flow, opened if it is new; then the one idle for longest may have to go. */
    UdpFlow flowOf(InetSocketAddress client, long now, Function<InetSocketAddress, UdpFlow> opener) {
        Entry known = touched(client, now);
        if (known != null) {
            return known.flow;
        }
        if (clients.size() >= maxClients) {
            remove(clients.sequencedKeySet().getFirst());
        }
        Entry fresh = new Entry(opener.apply(client), now);
        clients.put(client, fresh);
        traffic.opened();
        return fresh.flow;
    }

    /** Something came back for the client. False if it has been forgotten. */
    boolean touch(InetSocketAddress client, long now) {
        return touched(client, now) != null;
    }

    private @Nullable Entry touched(InetSocketAddress client, long now) {
        Entry e = clients.get(client);
        if (e != null) {
            e.lastUsed = now;
        }
        return e;
    }

    /** Forgets who has been idle for long enough. */
    void expire(long now) {
        while (!clients.isEmpty() && now - eldest().getValue().lastUsed >= idleNanos) {
            remove(eldest().getKey());
        }
    }

    /** Nanoseconds until {@link #expire} has something to do, at least 0; -1 if there is no client. */
    long nextExpiry(long now) {
        return clients.isEmpty() ? -1 : Math.max(0, idleNanos - (now - eldest().getValue().lastUsed));
    }

    private Map.Entry<InetSocketAddress, Entry> eldest() {
        return clients.sequencedEntrySet().getFirst();
    }

    private void remove(InetSocketAddress client) {
        Entry e = clients.remove(client);
        if (e != null) {
            traffic.closed();
            e.flow.close();
        }
    }

    void closeAll() {
        List<InetSocketAddress> all = new ArrayList<>(clients.keySet());
        all.forEach(this::remove);
    }

    int size() {
        return clients.size();
    }
}
