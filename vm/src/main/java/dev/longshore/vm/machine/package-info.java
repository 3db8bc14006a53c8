/** Filled by its own change. */
@NullMarked
package dev.longshore.vm.machine;

import org.jspecify.annotations.NullMarked;
