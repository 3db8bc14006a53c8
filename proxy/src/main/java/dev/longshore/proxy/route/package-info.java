/**
 * Where a request of the guest goes: directly, through an upstream proxy, or nowhere, and why. Decides only; {@code upstream}
 * connects.
 */
@NullMarked
package dev.longshore.proxy.route;

import org.jspecify.annotations.NullMarked;
