/** The logs of an instance as entries: with times, units and priorities, one boot after the other. */
@NullMarked
package dev.longshore.cli.log;

import org.jspecify.annotations.NullMarked;
