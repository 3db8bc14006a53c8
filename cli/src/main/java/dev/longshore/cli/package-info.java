/** Filled by its own change. */
@NullMarked
package dev.longshore.cli;

import org.jspecify.annotations.NullMarked;
