package dev.longshore.vpnkit.hostsocket;

import dev.longshore.packet.wire.IpAddress;

/**
 * What a router said, in the numbers of its family's ICMP. Immutable.
 *
 * @param offender the router
 */
public record RouterError(int type, int code, int info, IpAddress offender) {}
