/**
 * A transport of FUSE without any guest: this machine's own kernel asks, through {@code /dev/fuse}. Called by tests and
 * benchmarks, which so run the file server against suites that others wrote; needs root.
 */
@NullMarked
package dev.longshore.fileshare.devfuse;

import org.jspecify.annotations.NullMarked;
