/** What a flow is to the rest of the daemon: opening one into the guest, taking one as a channel, how one ended, whose it is. */
@NullMarked
package dev.longshore.vpnkit.flow;

import org.jspecify.annotations.NullMarked;
