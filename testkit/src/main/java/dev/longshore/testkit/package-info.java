/**
 * A guest in virtual time, for tests: a loop whose clock stands still until a test moves it, a link in memory, and the
 * guest's end of it, which checks every checksum of what the stack sends; and channels whose other end is the test. Knows the
 * wire, not the stack.
 */
@NullMarked
package dev.longshore.testkit;

import org.jspecify.annotations.NullMarked;
