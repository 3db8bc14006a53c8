/**
 * The daemon's {@code main}: takes the home, starts the parts in order, rolls back on failure, stops them in reverse
 * order, and owns the event loops. The only package that knows all the others, and the only one nobody imports.
 */
@NullMarked
package dev.longshore.backend;

import org.jspecify.annotations.NullMarked;
