/**
 * A TAP device as a link: the guest is whatever uses the device, such as a network namespace. Linux
 * Documentation/networking/tuntap.rst; the header in front of each frame is virtio's (virtio 1.2, 5.1.6).
 */
@NullMarked
package dev.longshore.link.tap;

import org.jspecify.annotations.NullMarked;
