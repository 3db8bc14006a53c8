/**
 * UDP: the guest's datagrams become those of host sockets, or go to services at our own addresses; datagrams for published
 * ports go into the guest. Called by ip and by port forwarding; knows no Ethernet. RFC 768, RFC 4787.
 */
@NullMarked
package dev.longshore.vpnkit.udp;

import org.jspecify.annotations.NullMarked;
