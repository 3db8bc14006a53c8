/** Filled by its own change. */
@NullMarked
package dev.longshore.engine;

import org.jspecify.annotations.NullMarked;
