/**
 * Decides what the guest and its containers may begin with the world, by the setting {@code egressPolicy}. Asked by vpnkit's UDP
 * and ping layers ({@link dev.longshore.vpnkit.hostsocket.EgressGate}) and by whoever dials; knows nothing of packets and sockets.
 */
@NullMarked
package dev.longshore.policy;

import org.jspecify.annotations.NullMarked;
