package dev.longshore.config;

import java.util.List;
import java.util.Optional;

/**
 * The subnet the guest really gets.
 *
 * @param subnet to use
 * @param moved true if it is not the configured one
 * @param overlap the route that stands in the way of the configured one, if there is one
 */
public record SubnetChoice(Ipv4Subnet subnet, boolean moved, Optional<Ipv4Subnet> overlap) {
    private static final int FIRST = 65;
    private static final int LAST = 254;

    /** The configured subnet, or the next free 192.168.N.0/24 if a route overlaps it and the settings allow to move. */
    public static SubnetChoice choose(Settings.Network network, List<Ipv4Subnet> routes) {
        Ipv4Subnet wanted = network.subnet();
        Optional<Ipv4Subnet> overlap = overlapping(wanted, routes);
        if (overlap.isPresent() && network.moveSubnet()) {
            for (int n = FIRST; n <= LAST; n++) {
                Ipv4Subnet candidate = Ipv4Subnet.parse("192.168." + n + ".0/24");
                if (overlapping(candidate, routes).isEmpty()) {
                    return new SubnetChoice(candidate, true, overlap);
                }
            }
        }
        return new SubnetChoice(wanted, false, overlap);
    }

    private static Optional<Ipv4Subnet> overlapping(Ipv4Subnet wanted, List<Ipv4Subnet> routes) {
        return routes.stream().filter(wanted::overlaps).findFirst();
    }
}
