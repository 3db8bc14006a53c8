/**
 * The services at our own addresses that make the network a network: DHCP and DNS. In-process, nothing listens on the host
 * for them. Called by udp and by the TCP flows' pipelines. RFC 2131, RFC 1035, RFC 5625.
 */
@NullMarked
package dev.longshore.vpnkit.gateway;

import org.jspecify.annotations.NullMarked;
