/**
 * Connections of the guest that go through the proxy without having asked for it: which are taken, what their first bytes say about
 * where they want to go, and who carries them on.
 */
@NullMarked
package dev.longshore.proxy.intercept;

import org.jspecify.annotations.NullMarked;
