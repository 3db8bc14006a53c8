/**
 * Whole-system benchmarks: this network stack beside its peers, interleaved in one run on one machine. Starts the product as
 * a user would, by its launcher; of its classes only what makes a guest and what a single hop is made of. Loads only network
 * namespaces and guests of its own.
 */
@NullMarked
package dev.longshore.bench;

import org.jspecify.annotations.NullMarked;
