/**
 * The guest's network card: a virtio-net device whose other end is a {@link dev.longshore.packet.link.Link}.
 *
 * <p>Put on a socket by {@code vhostuser}; the daemon gives the link to the network stack, which it does not know. Frames
 * from the guest are copied out of shared memory once and checked against what was negotiated; nothing in them throws.
 * Spec: virtio 1.2, 5.1.
 */
@NullMarked
package dev.longshore.virtio.net;

import org.jspecify.annotations.NullMarked;
