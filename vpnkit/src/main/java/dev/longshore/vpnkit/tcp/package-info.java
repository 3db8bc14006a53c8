/**
 * TCP towards the guest: RFC 9293, with window scaling (RFC 7323), RTO (RFC 6298), fast retransmit and recovery after loss
 * (RFC 5681, RFC 6582), and the checks of RFC 5961. Called by {@code vpnkit.ip}; reaches hosts through
 * {@code vpnkit.hostsocket} and services in the daemon through {@code vpnkit.flow}; knows no Ethernet and no virtio.
 *
 * <p>Not spoken: timestamps and PAWS (a link in memory neither delays nor reorders enough for them, and they cost 12 bytes
 * a segment), SACK, ECN, Nagle's algorithm (the host's program decided how it writes), urgent data (carried as data).
 */
@NullMarked
package dev.longshore.vpnkit.tcp;

import org.jspecify.annotations.NullMarked;
