package dev.longshore.proxy.choice;

import dev.longshore.packet.wire.IpAddress;
import dev.longshore.proxy.route.RouteQuery;
import dev.longshore.vpnkit.hostsocket.OwnAddresses;
import org.jspecify.annotations.Nullable;

/** What never goes through an upstream proxy, whatever is set: no proxy could reach it. Immutable. */
final class OwnNames {
    private static final String DOMAIN = "docker.internal";

    private final OwnAddresses own;

    OwnNames(OwnAddresses own) {
        this.own = own;
    }

    /** Why it is ours, for the user; null if it is not. */
    @Nullable
    String match(RouteQuery query) {
        String host = query.host();
        if (host.equals(DOMAIN) || host.endsWith("." + DOMAIN)) {
            return "*." + DOMAIN;
        }
        if (own.isHostName(host)) {
            return host + " is this host";
        }
        if (host.equals("localhost") || host.endsWith(".localhost")) {
            return "localhost";
        }
        IpAddress address = query.address() == null ? literal(host) : query.address();
        if (address == null) {
            return null;
        }
        if (address.isLoopback()) {
            return "loopback";
        }
        return own.isHostAlias(address) || own.isInGuestNetwork(address) ? "the guest's own network" : null;
    }

    static @Nullable IpAddress literal(String host) {
        boolean digits = !host.isEmpty() && (Character.isDigit(host.charAt(0)) || host.indexOf(':') >= 0);
        try {
            return digits ? IpAddress.parse(host) : null;
        } catch (IllegalArgumentException e) {
            return null;
        }
    }
}
