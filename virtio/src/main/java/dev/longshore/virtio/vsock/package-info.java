/**
 * virtio-vsock, the host's side: byte streams between host (CID 2) and guest (CID 3) as Netty channels. Virtio 1.2, 5.10.
 *
 * <p>{@link dev.longshore.virtio.vsock.VsockHost} holds streams and listeners and speaks the packet protocol over
 * {@link dev.longshore.virtio.vsock.PacketsToGuest}; a device connects that to virtqueues, a test to another end. Callers
 * see {@link dev.longshore.virtio.vsock.VsockHost#connect} and {@link dev.longshore.virtio.vsock.VsockHost#listen}. What the
 * streams carry (Docker's API, port publishing, the agent's control line) must not be known here.
 */
@NullMarked
package dev.longshore.virtio.vsock;

import org.jspecify.annotations.NullMarked;
