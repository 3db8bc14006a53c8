/**
 * A guest behind a stream socket, as QEMU's {@code -netdev stream} speaks it: a length in front of each frame. Neither
 * offloads nor a handshake.
 */
@NullMarked
package dev.longshore.link.stream;

import org.jspecify.annotations.NullMarked;
