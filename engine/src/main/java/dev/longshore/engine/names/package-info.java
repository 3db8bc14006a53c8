/**
 * Which container has which address in the guest. Told by {@code ports}, which follows the Engine's events, and asked by the
 * network, whose contract {@link dev.longshore.vpnkit.flow.ContainerDirectory} it fulfils; knows nothing of packets.
 */
@NullMarked
package dev.longshore.engine.names;

import org.jspecify.annotations.NullMarked;
