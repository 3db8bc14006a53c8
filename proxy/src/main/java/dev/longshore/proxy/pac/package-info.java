/**
 * Proxy auto-configuration: gets a script, runs it where it can do no harm, and reads what it returns. Knows nothing of settings.
 *
 * <p>Theory of operation. A script is somebody else's program, and the daemon's heap is small: so scripts run in a JVM of their own
 * ({@link dev.longshore.proxy.pac.PacMain}), which has little memory, ends when it has used that up, and is killed when a call
 * does not end in time. In there, Rhino interprets them without access to Java and stops them at their deadline, which is the
 * usual end of an endless loop; the kill is for what Rhino can't stop. Each call has a scope of its own, so nothing a script
 * keeps outlives it.
 */
@NullMarked
package dev.longshore.proxy.pac;

import org.jspecify.annotations.NullMarked;
