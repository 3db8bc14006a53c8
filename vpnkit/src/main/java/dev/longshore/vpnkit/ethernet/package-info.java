/**
 * The link layer: takes frames from a {@link dev.longshore.packet.link.Link}, answers ARP and neighbor discovery for our
 * addresses, learns where the guest is, and hands IP packets to its {@link dev.longshore.vpnkit.ethernet.PacketSink}. Knows
 * no transport. RFC 826, RFC 894, RFC 5227; RFC 2464, RFC 4861.
 */
@NullMarked
package dev.longshore.vpnkit.ethernet;

import org.jspecify.annotations.NullMarked;
