/**
 * virtio-fs: the device by which a guest's FUSE requests come (virtio 1.2, 5.11), behind a vhost-user socket. Turns descriptor
 * chains into exchanges and spreads them over threads; knows nothing of files.
 */
@NullMarked
package dev.longshore.fileshare.virtiofs;

import org.jspecify.annotations.NullMarked;
