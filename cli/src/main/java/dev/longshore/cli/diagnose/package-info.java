/** What is wrong with an instance, as a list of checks, and all that helps to find out why, in one file without secrets. */
@NullMarked
package dev.longshore.cli.diagnose;

import org.jspecify.annotations.NullMarked;
