/** The host's side of a flow: dialing remotes, joining channels, errors of the host as values. Knows no packet. */
@NullMarked
package dev.longshore.vpnkit.hostsocket;

import org.jspecify.annotations.NullMarked;
