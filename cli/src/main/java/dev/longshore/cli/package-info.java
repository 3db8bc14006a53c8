/**
 * The {@code longshore} command: a client of the control socket that can also start the daemon and sweep up after one
 * that was killed. Every command works, or says why not, when no daemon runs. Knows nothing of the daemon but its proto
 * and its home.
 */
@NullMarked
package dev.longshore.cli;

import org.jspecify.annotations.NullMarked;
