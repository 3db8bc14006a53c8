/** The network layer: addresses, fragments, and the frames' way to the guest; called by ethernet, calls the transports. */
@NullMarked
package dev.longshore.vpnkit.ip;

import org.jspecify.annotations.NullMarked;
