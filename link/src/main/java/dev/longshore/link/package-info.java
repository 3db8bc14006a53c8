/**
 * Carriers of Ethernet frames that are descriptors rather than rings, and what they have in common: counting, and buffers
 * for frames from the guest.
 *
 * <p>Made by {@code backend}; used through {@link dev.longshore.packet.link.Link}; knows nothing of the stack behind it.
 */
@NullMarked
package dev.longshore.link;

import org.jspecify.annotations.NullMarked;
