/**
 * Connections to origins, directly or through upstream proxies: along the hops that a {@code Router} names, as far as the egress policy
 * allows, with whatever authentication {@code auth} knows. {@code proxy} and {@code intercept} call it; it knows nothing of guests.
 *
 * <pre>
 *   Upstreams ── Router            which hops
 *       │   └──── EgressDialer     whether at all
 *       └── HopAttempts ── ProxyConnector   TCP and TLS to a proxy
 *                 ├── SocksHandshake        a tunnel by SOCKS
 *                 ├── ConnectTunnel         a tunnel by CONNECT
 *                 └── ProxyConnection       requests in absolute-form, with authentication
 * </pre>
 */
@NullMarked
package dev.longshore.proxy.upstream;

import org.jspecify.annotations.NullMarked;
