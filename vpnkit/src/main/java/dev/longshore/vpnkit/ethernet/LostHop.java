package dev.longshore.vpnkit.ethernet;

import dev.longshore.packet.wire.IpAddress;

/** A station of the link that does not answer. Immutable. */
public interface LostHop {
    /** What it was asked for by. */
    IpAddress address();

    /** True if packets to this address of the guest, or of something behind it, would have to go there. */
    boolean isOnTheWayTo(long guestHi, long guestLo);
}
