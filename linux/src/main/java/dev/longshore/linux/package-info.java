/**
 * The Linux calls that neither the JDK nor Netty offers: descriptors passed over Unix sockets, shared memory mappings,
 * eventfds; and raw descriptors in a Netty loop's own epoll set. Together with {@code fileshare.os}, the only package that
 * touches {@link java.lang.foreign.Linker}.
 *
 * <p>Called by {@code virtio}, {@code link} and {@code vpnkit}; knows nothing of frames, rings or flows. Structure layouts
 * are those of 64-bit Linux on x86-64 and aarch64, which agree in everything used here unless said otherwise.
 */
@NullMarked
package dev.longshore.linux;

import org.jspecify.annotations.NullMarked;
