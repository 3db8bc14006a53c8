/**
 * The host's side of a flow: dialing remotes, joining channels, datagrams by the batch, errors of the host as values. Knows
 * no packet.
 */
@NullMarked
package dev.longshore.vpnkit.hostsocket;

import org.jspecify.annotations.NullMarked;
