/**
 * Keeps the host's listeners at what the Engine says is published. The leases of the guest's docker-proxy do the work; this
 * looks at the Engine's state besides, and mends what differs: a port whose proxy died, a proxy that was left behind, ports of
 * swarm services, for which the Engine starts no proxy. What it learns of containers it tells {@code names}. Called by the backend; knows the Engine by its API alone, and the ports by
 * {@link dev.longshore.portforward.PortTable}. Source: the Engine API v1.45, {@code /events}, {@code /containers/{id}/json},
 * {@code /services}.
 */
@NullMarked
package dev.longshore.engine.ports;

import org.jspecify.annotations.NullMarked;
