package dev.longshore.vpnkit.ip;

import dev.longshore.packet.link.OutFrame;
import dev.longshore.packet.wire.IpAddress;
import dev.longshore.vpnkit.ethernet.EthernetLayer;

/** The network layer's way to the guest, of both families. Confined to the link's event loop. */
public final class DualOutput implements IpOutput {
    private final EthernetLayer ethernet;
    private final Ipv4Output v4;
    private final Ipv6Output v6;
    private final int mtu;

    /** Does not own {@code v4} and {@code v6}; {@code mtu} is theirs. */
    public DualOutput(EthernetLayer ethernet, Ipv4Output v4, Ipv6Output v6, int mtu) {
        this.ethernet = ethernet;
        this.v4 = v4;
        this.v6 = v6;
        this.mtu = mtu;
    }

    @Override
    public OutFrame begin(long sourceHi, long sourceLo, long destinationHi, long destinationLo, int protocol) {
        return IpAddress.isV4(destinationHi, destinationLo)
                ? v4.begin((int) sourceLo, (int) destinationLo, protocol)
                : v6.begin(sourceHi, sourceLo, destinationHi, destinationLo, protocol, Ipv6Output.HOP_LIMIT);
    }

    @Override
    public void setHops(OutFrame frame, int hops) {
        if (v6.made(frame)) {
            v6.setHops(frame, hops);
        } else {
            v4.setHops(frame, hops);
        }
    }

    @Override
    public boolean end(OutFrame frame) {
        return v6.made(frame) ? v6.end(frame) : v4.end(frame);
    }

    @Override
    public void flush() {
        ethernet.flush();
    }

    @Override
    public boolean isWritable() {
        return ethernet.link().isWritable();
    }

    @Override
    public int mtu() {
        return mtu;
    }

    @Override
    public int maxGsoPayload(boolean isV4) {
        return isV4 ? v4.maxGsoPayload() : v6.maxGsoPayload();
    }

    @Override
    public boolean checksumOffload() {
        return ethernet.link().checksumOffloadToGuest();
    }

    @Override
    public void doubt(long guestHi, long guestLo) {
        ethernet.doubt(guestHi, guestLo);
    }
}
