package dev.longshore.proxy.route;

import java.util.List;

/**
 * Immutable.
 *
 * @param hops to try one after the other, until one connects; never empty
 * @param because for the user, of one line: which setting, rule of an exclusion list or PAC result decided
 */
public record RouteDecision(List<Hop> hops, String because) {
    public RouteDecision {
        hops = List.copyOf(hops);
        if (hops.isEmpty()) {
            throw new IllegalArgumentException("no way, not even a blocked one");
        }
    }

    public static RouteDecision direct(String because) {
        return new RouteDecision(List.of(new Hop.Direct()), because);
    }

    public static RouteDecision blocked(String reason) {
        return new RouteDecision(List.of(new Hop.Blocked(reason)), reason);
    }
}
