package dev.longshore.portforward;

import io.netty.util.concurrent.Promise;
import org.jspecify.annotations.Nullable;

/** One entry of the {@link PortTable}, and the only place that closes its listener. Confined to the link's event loop. */
final class PublishedPort {
    /** Changes when the lease is taken from its owner, who knows it. */
    long id;

    final Forward requested;
    final Traffic traffic;
    Promise<ExposeResult> result;

    /** Changes from {@link Owner.Kind#ENGINE} to whoever asked for the same, and back when leases are kept. */
    Owner owner;

    /** Called when {@link PortTable#dismiss} takes the port away from its owner. */
    Runnable onDismissed;

    /** Where the policy puts it. */
    BindPolicy.Place place;

    /** The place's endpoint, then the bound one; the wish, while nothing is bound. */
    HostEndpoint host;

    /** Null where nothing is, or is to be, bound. */
    @Nullable
    HostListener listener;

    /** Why there is no listener although the port counts as exposed; empty otherwise. */
    String note = "";

    /** The wish has been answered: yes. */
    boolean open;

    /** The watcher has heard of it, and not of its end. */
    boolean told;

    boolean released;

    PublishedPort(
            long id,
            Forward requested,
            BindPolicy.Place place,
            Owner owner,
            Runnable onDismissed,
            Traffic traffic,
            Promise<ExposeResult> result) {
        this.id = id;
        this.requested = requested;
        this.place = place;
        this.host = place.host();
        this.owner = owner;
        this.onDismissed = onDismissed;
        this.traffic = traffic;
        this.result = result;
    }

    /** What was asked for, with the port that was found when any would do: it stays the same when the address moves. */
    HostEndpoint wish() {
        return requested.host() instanceof HostEndpoint.Port w && w.port() == 0 && host instanceof HostEndpoint.Port h
                ? w.withPort(h.port())
                : requested.host();
    }

    /** Port 0 is any, so it is never the same; and what nobody listens on is held by nobody. */
    boolean holds(HostEndpoint endpoint) {
        return listener != null && host.equals(endpoint) && !(endpoint instanceof HostEndpoint.Port p && p.port() == 0);
    }

    /** Both can't be bound: the same port of the same protocol, and the same address or one of them any. */
    boolean isInTheWayOf(HostEndpoint endpoint) {
        return listener != null
                && (host.equals(endpoint)
                        || (host instanceof HostEndpoint.Port mine
                                && endpoint instanceof HostEndpoint.Port other
                                && mine.protocol() == other.protocol()
                                && mine.port() == other.port()
                                && mine.address().isV4() == other.address().isV4()
                                && (mine.isWildcard() || other.isWildcard())));
    }

    /** Another policy has moved it, and it could not be bound there. */
    boolean isStuck() {
        return open && listener == null && !(place instanceof BindPolicy.Nowhere);
    }

    PortSnapshot snapshot() {
        return new PortSnapshot(
                id,
                requested,
                host,
                owner,
                traffic.active,
                traffic.total,
                traffic.bytesToGuest,
                traffic.bytesFromGuest,
                note.isEmpty() && listener != null ? listener.trouble() : note);
    }
}
