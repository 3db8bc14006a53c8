/**
 * What makes the network a network: DHCP, DHCPv6 and router advertisements. In-process, nothing listens on the host
 * for them. Called by udp. RFC 2131, RFC 8415, RFC 4861.
 */
@NullMarked
package dev.longshore.vpnkit.gateway;

import org.jspecify.annotations.NullMarked;
