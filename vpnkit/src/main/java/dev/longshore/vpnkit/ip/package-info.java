/** The network layer: addresses, fragments, ICMP errors, and the way of packets to the guest; called by ethernet, calls the transports. RFC 791, RFC 1122, RFC 1812. */
@NullMarked
package dev.longshore.vpnkit.ip;

import org.jspecify.annotations.NullMarked;
