/**
 * Published ports: host listeners (TCP, UDP, Unix) that open flows into the guest, and the one table of them.
 *
 * <p>Called by the backend (vsock service of the guest's agent) and by the control API; calls {@code vpnkit.flow}'s
 * {@link dev.longshore.vpnkit.flow.GuestConnector} and nothing else of the network. It must not know Docker, vsock or how
 * a flow crosses the link. {@code portforward/README.md} follows one port through the package.
 */
@NullMarked
package dev.longshore.portforward;

import org.jspecify.annotations.NullMarked;
