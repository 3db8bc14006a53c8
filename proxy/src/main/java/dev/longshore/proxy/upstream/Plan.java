package dev.longshore.proxy.upstream;

import dev.longshore.proxy.route.RouteDecision;
import dev.longshore.vpnkit.hostsocket.Destination;
import org.jspecify.annotations.Nullable;

/**
 * Where a request goes, decided but not begun. Immutable.
 *
 * @param plain the proxy may read it
 * @param refused why it must not go at all, or null
 */
public record Plan(
        Destination to,
        boolean plain,
        RouteDecision route,
        @Nullable Reply refused) {}
