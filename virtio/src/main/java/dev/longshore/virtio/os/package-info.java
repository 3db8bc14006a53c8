/**
 * The Linux calls that neither the JDK nor Netty offers: descriptors passed over Unix sockets, shared memory mappings,
 * eventfds. The only package of this module that touches {@link java.lang.foreign.Linker}.
 *
 * <p>Called by {@code memory} and {@code vhostuser}; knows neither virtio nor Netty. Structure layouts are those of 64-bit
 * Linux on x86-64 and aarch64, which agree in everything used here unless said otherwise.
 */
@NullMarked
package dev.longshore.virtio.os;

import org.jspecify.annotations.NullMarked;
