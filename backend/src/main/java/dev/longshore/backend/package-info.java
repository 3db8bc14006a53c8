/** Filled by its own change. */
@NullMarked
package dev.longshore.backend;

import org.jspecify.annotations.NullMarked;
