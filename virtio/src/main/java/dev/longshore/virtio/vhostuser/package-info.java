/**
 * The back end of vhost-user: listens for a front end (UML, QEMU), maps the guest's memory, sets up rings, and carries
 * kicks and calls, all on one Netty event loop.
 *
 * <p>Used by the daemon to put a {@link dev.longshore.virtio.vhostuser.VhostUserDevice} on a socket. Knows no device: what
 * flows through the queues is the devices' business. The front end is a process of the same user but still untrusted in
 * what it sends: a bad message closes the session with a logged reason and releases everything.
 * Spec: QEMU, docs/interop/vhost-user.rst.
 */
@NullMarked
package dev.longshore.virtio.vhostuser;

import org.jspecify.annotations.NullMarked;
