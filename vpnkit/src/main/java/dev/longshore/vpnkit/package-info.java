/**
 * The user-space network of one guest, put together: {@link dev.longshore.vpnkit.Network}. The parts are in the packages
 * below; README.md follows one packet through them.
 */
@NullMarked
package dev.longshore.vpnkit;

import org.jspecify.annotations.NullMarked;
