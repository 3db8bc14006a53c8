/**
 * The device's side of a virtqueue, split or packed: take chains, read and fill them, give them back, decide about notifications.
 *
 * <p>Set up by {@code vhostuser}, used by the devices ({@code net}, {@code vsock}). Knows neither sockets nor devices.
 * The rings are shared with the guest: each index, length and descriptor is read once, bounded, and never read again;
 * whatever is wrong stops the queue with a {@link dev.longshore.virtio.virtqueue.QueueFault} and never throws.
 * Spec: virtio 1.2, 2.7 and 2.8, with VIRTIO_F_INDIRECT_DESC and VIRTIO_F_EVENT_IDX.
 */
@NullMarked
package dev.longshore.virtio.virtqueue;

import org.jspecify.annotations.NullMarked;
