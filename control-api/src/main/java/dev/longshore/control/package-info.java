/** Filled by its own change. */
@NullMarked
package dev.longshore.control;

import org.jspecify.annotations.NullMarked;
