/**
 * What carries Ethernet frames between guest and daemon, and the frames' offload metadata.
 *
 * <p>Implemented by {@code virtio.net} and other carriers, used by {@code vpnkit}; knows neither. The offload vocabulary
 * is virtio's (virtio 1.2, 5.1.6), since every carrier we have either speaks it or offloads nothing.
 */
@NullMarked
package dev.longshore.packet.link;

import org.jspecify.annotations.NullMarked;
