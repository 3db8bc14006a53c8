/** Counting on a loop, reading from anywhere; used by every layer, knows none. */
@NullMarked
package dev.longshore.vpnkit.count;

import org.jspecify.annotations.NullMarked;
