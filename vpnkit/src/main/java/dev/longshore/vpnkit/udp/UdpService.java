package dev.longshore.vpnkit.udp;

import io.netty.buffer.ByteBuf;

/** A service in this process that answers datagrams to one of our own addresses. Confined to the link's event loop. */
public interface UdpService {
    /**
     * One datagram from the guest: {@code len} bytes of payload at {@code at} of {@code b}, borrowed. Must not throw,
     * whatever they are.
     *
     * @param guestHi {@code guestLo} and {@code guestPort} too: who asks; ::ffff:0.0.0.0 for a guest without an address
     * @param ourHi {@code ourLo} and {@code ourPort} too: whom it asked, possibly broadcast
     */
    void onDatagram(
            ByteBuf b, int at, int len, long guestHi, long guestLo, int guestPort, long ourHi, long ourLo, int ourPort);
}
