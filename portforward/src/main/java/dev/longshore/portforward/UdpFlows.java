package dev.longshore.portforward;

import dev.longshore.packet.wire.IpAddress;
import dev.longshore.vpnkit.flow.FlowTable;
import dev.longshore.vpnkit.flow.GuestConnector.UdpFlow;
import java.security.SecureRandom;
import org.jspecify.annotations.Nullable;

/**
 * The clients of one UDP port, each with its flow into the guest, in the order of their last use. Confined to the link's
 * event loop. Times are nanoseconds of any origin that may overflow; they are compared by difference. Known clients cost no
 * object.
 */
final class UdpFlows {
    /** One client, and the address of this host that it wrote to last: where it expects its answers from. */
    static final class Client {
        final IpAddress address;
        final int port;
        long localHi;
        long localLo;
        private @Nullable UdpFlow flow;
        private long lastUsed;
        private @Nullable Client older;
        private @Nullable Client newer;

        private Client(IpAddress address, int port) {
            this.address = address;
            this.port = port;
        }

        UdpFlow flow() {
            UdpFlow f = flow;
            if (f == null) {
                throw new IllegalStateException("a client without a flow");
            }
            return f;
        }
    }

    /** Opens a new client's flow. */
    interface Opener {
        UdpFlow open(Client client);
    }

    private final FlowTable<Client> clients = new FlowTable<>(new SecureRandom().nextLong()); // the second address is 0
    private final long idleNanos;
    private final int maxClients;
    private final Traffic traffic;
    private @Nullable Client oldest;
    private @Nullable Client newest;

    UdpFlows(UdpLimits limits, Traffic traffic) {
        this.idleNanos = limits.idle().toNanos();
        this.maxClients = limits.maxClients();
        this.traffic = traffic;
    }

    /** The client, with a new flow if it is new; then the one idle for longest may have to go. */
    Client clientOf(long hi, long lo, int port, long now, Opener opener) {
        Client known = clients.get(hi, lo, port, 0, 0, 0);
        if (known != null) {
            touch(known, now);
            return known;
        }
        Client eldest = oldest;
        if (eldest != null && clients.size() >= maxClients) {
            remove(eldest);
        }
        Client fresh = new Client(new IpAddress(hi, lo), port);
        fresh.flow = opener.open(fresh);
        fresh.lastUsed = now;
        clients.put(hi, lo, port, 0, 0, 0, fresh);
        append(fresh);
        traffic.opened();
        return fresh;
    }

    /** Something came back for the client. False if it has been forgotten. */
    boolean touch(Client client, long now) {
        if (!isKnown(client)) {
            return false;
        }
        client.lastUsed = now;
        if (newest != client) {
            unlink(client);
            append(client);
        }
        return true;
    }

    private boolean isKnown(Client c) {
        return clients.get(c.address.hi(), c.address.lo(), c.port, 0, 0, 0) == c;
    }

    private void append(Client c) {
        Client last = newest;
        c.older = last;
        newest = c;
        if (last == null) {
            oldest = c;
        } else {
            last.newer = c;
        }
    }

    private void unlink(Client c) {
        Client before = c.older;
        Client after = c.newer;
        if (before == null) {
            oldest = after;
        } else {
            before.newer = after;
        }
        if (after == null) {
            newest = before;
        } else {
            after.older = before;
        }
        c.older = null;
        c.newer = null;
    }

    /** Forgets who has been idle for long enough. */
    void expire(long now) {
        for (Client c = oldest; c != null && now - c.lastUsed >= idleNanos; c = oldest) {
            remove(c);
        }
    }

    /** Nanoseconds until {@link #expire} has something to do, at least 0; -1 if there is no client. */
    long nextExpiry(long now) {
        Client c = oldest;
        return c == null ? -1 : Math.max(0, idleNanos - (now - c.lastUsed));
    }

    private void remove(Client c) {
        clients.remove(c.address.hi(), c.address.lo(), c.port, 0, 0, 0);
        unlink(c);
        traffic.closed();
        c.flow().close();
    }

    void closeAll() {
        for (Client c = oldest; c != null; c = oldest) {
            remove(c);
        }
    }

    int size() {
        return clients.size();
    }
}
