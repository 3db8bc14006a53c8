/**
 * ICMP from the guest: echo to us is answered, echo to others goes out through sockets of the host where it allows
 * them, errors go to the transport they are about. Called by ip. RFC 792, RFC 1122 §3.2.2.
 */
@NullMarked
package dev.longshore.vpnkit.icmp;

import org.jspecify.annotations.NullMarked;
