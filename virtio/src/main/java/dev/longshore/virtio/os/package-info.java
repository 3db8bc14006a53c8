/** Filled by its own change. */
@NullMarked
package dev.longshore.virtio.os;

import org.jspecify.annotations.NullMarked;
