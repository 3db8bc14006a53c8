/**
 * Whole-system benchmarks: this network stack beside its peers, interleaved in one run on one machine. Starts the product as
 * a user would, by its launcher, and knows nothing of its classes. Loads only network namespaces and guests of its own.
 */
@NullMarked
package dev.longshore.bench;

import org.jspecify.annotations.NullMarked;
