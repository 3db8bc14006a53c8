package dev.longshore.proxy.route;

import dev.longshore.packet.wire.IpAddress;
import org.jspecify.annotations.Nullable;

/**
 * What is to be reached. Immutable.
 *
 * @param plain an HTTP request whose text the proxy may read ({@code http://}); false for what is tunnelled
 * @param host a name in small letters without a trailing dot, or an address literal without brackets
 * @param port 1..65535
 * @param address of {@code host}, if it is known without asking anybody
 */
public record RouteQuery(
        boolean plain, String host, int port, @Nullable IpAddress address) {}
