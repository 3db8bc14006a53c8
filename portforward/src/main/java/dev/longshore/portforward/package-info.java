/** Filled by its own change. */
@NullMarked
package dev.longshore.portforward;

import org.jspecify.annotations.NullMarked;
