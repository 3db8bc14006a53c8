/** What we leave in the directory of the {@code docker} command: a context that leads to this instance, and a plugin. */
@NullMarked
package dev.longshore.cli.docker;

import org.jspecify.annotations.NullMarked;
