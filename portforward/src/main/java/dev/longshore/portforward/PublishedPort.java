package dev.longshore.portforward;

import io.netty.util.concurrent.Promise;

/** One entry of the {@link PortTable}, and the only place that closes its listener. Confined to the link's event loop. */
final class PublishedPort {
    final long id;
    final Forward requested;
    final Owner owner;
    final HostListener listener;
    final Traffic traffic;
    final Promise<ExposeResult> result;

    /** As far as known: the policy's endpoint, then the bound one. */
    HostEndpoint host;

    /** Why there is no listener although the port counts as exposed; empty otherwise. */
    String note = "";

    /** False while binding. */
    boolean open;

    boolean released;

    PublishedPort(
            long id,
            Forward requested,
            HostEndpoint host,
            Owner owner,
            HostListener listener,
            Traffic traffic,
            Promise<ExposeResult> result) {
        this.id = id;
        this.requested = requested;
        this.host = host;
        this.owner = owner;
        this.listener = listener;
        this.traffic = traffic;
        this.result = result;
    }

    /** Port 0 is any, so it is never the same. */
    boolean holds(HostEndpoint endpoint) {
        return host.equals(endpoint) && !(endpoint instanceof HostEndpoint.Port p && p.port() == 0);
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
                note.isEmpty() ? listener.trouble() : note);
    }
}
