package dev.longshore.vpnkit.udp;

import dev.longshore.packet.link.OutFrame;
import dev.longshore.packet.wire.Checksum;
import dev.longshore.packet.wire.IpProtocol;
import dev.longshore.packet.wire.UdpHeader;
import dev.longshore.vpnkit.ip.IpOutput;
import io.netty.buffer.ByteBuf;
import io.netty.util.concurrent.EventExecutor;

/** Sends datagrams to the guest, checksums complete. Confined to the link's event loop. */
public final class UdpOutput {
    private final IpOutput output;
    private final EventExecutor loop;
    private final Runnable flushTask = this::flushNow;
    private boolean flushPending;

    public UdpOutput(IpOutput output, EventExecutor loop) {
        this.output = output;
        this.loop = loop;
    }

    /**
     * Sends {@code len} bytes at {@code from} of {@code payload} (borrowed): 0..65,507. {@link #flush} or
     * {@link #flushSoon} follows.
     *
     * @return false if the guest has no room
     */
    public boolean send(
            long sourceHi,
            long sourceLo,
            int sourcePort,
            long guestHi,
            long guestLo,
            int guestPort,
            ByteBuf payload,
            int from,
            int len) {
        OutFrame out = output.begin(sourceHi, sourceLo, guestHi, guestLo, IpProtocol.UDP);
        boolean sent = finish(out, sourceHi, sourceLo, sourcePort, guestHi, guestLo, guestPort, payload, from, len);
        out.clear();
        return sent;
    }

    private boolean finish(
            OutFrame out,
            long sourceHi,
            long sourceLo,
            int sourcePort,
            long guestHi,
            long guestLo,
            int guestPort,
            ByteBuf payload,
            int from,
            int len) {
        ByteBuf head = out.head();
        int udpAt = head.writerIndex();
        int udpBytes = UdpHeader.BYTES + len;
        UdpHeader.write(head, sourcePort, guestPort, udpBytes);
        out.addPayload(payload, from, len);
        long sum = Checksum.pseudoHeader(sourceHi, sourceLo, guestHi, guestLo, IpProtocol.UDP, udpBytes)
                + Checksum.sum(head, udpAt, UdpHeader.BYTES)
                + Checksum.sum(payload, from, len);
        UdpHeader.setChecksum(head, udpAt, sum);
        return output.end(out);
    }

    public void flush() {
        output.flush();
    }

    /** Flushes once for everything that is sent before the loop's next task. */
    public void flushSoon() {
        if (!flushPending) {
            flushPending = true;
            loop.execute(flushTask);
        }
    }

    private void flushNow() {
        flushPending = false;
        output.flush();
    }
}
