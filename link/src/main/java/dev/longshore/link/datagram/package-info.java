/** A guest behind a datagram socket, as vfkit and libkrun speak it: one frame in each datagram. No offloads. */
@NullMarked
package dev.longshore.link.datagram;

import org.jspecify.annotations.NullMarked;
