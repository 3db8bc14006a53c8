package dev.longshore.engine.ports;

import dev.longshore.packet.wire.IpAddress;
import dev.longshore.portforward.Forward;
import dev.longshore.portforward.HostEndpoint;
import java.util.List;

/**
 * One port that the Engine says is published. Immutable.
 *
 * @param addresses where it may lead, the best first; not empty
 * @param guestPort 1..65535
 * @param who for the user: the name of a container or a service
 */
record Wanted(HostEndpoint.Port host, List<IpAddress> addresses, int guestPort, String who) {
    Wanted {
        addresses = List.copyOf(addresses);
    }

    /** As docker-proxy would ask for it. */
    Forward forward() {
        return new Forward(host, addresses.getFirst(), guestPort);
    }

    /** True if that is this port, wherever in the container it arrives. */
    boolean fits(Forward forward) {
        return forward.guestPort() == guestPort && addresses.contains(forward.guest());
    }
}
