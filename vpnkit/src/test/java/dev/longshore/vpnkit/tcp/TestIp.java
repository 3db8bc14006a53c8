package dev.longshore.vpnkit.tcp;

import dev.longshore.packet.link.FrameSink;
import dev.longshore.packet.link.Link;
import dev.longshore.packet.link.OutFrame;
import dev.longshore.packet.wire.EthernetHeader;
import dev.longshore.packet.wire.IpAddress;
import dev.longshore.packet.wire.Ipv4Header;
import dev.longshore.testkit.GuestEnd;
import dev.longshore.vpnkit.ip.IpOutput;
import dev.longshore.vpnkit.ip.TransportInput;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import org.jspecify.annotations.Nullable;

/** As much of the network layer as TCP needs: whole IPv4 packets, straight to and from a link. */
final class TestIp implements IpOutput, FrameSink {
    private final Link link;
    private final OutFrame frame = new OutFrame(Unpooled.directBuffer(256));
    private @Nullable TransportInput tcp;

    TestIp(Link link) {
        this.link = link;
    }

    void open(TransportInput input) {
        tcp = input;
        link.open(this);
    }

    void close() {
        frame.release();
    }

    private TransportInput tcp() {
        TransportInput t = tcp;
        if (t == null) {
            throw new IllegalStateException("not open");
        }
        return t;
    }

    @Override
    public OutFrame begin(long sourceHi, long sourceLo, long destinationHi, long destinationLo, int protocol) {
        frame.clear();
        EthernetHeader.write(frame.head(), GuestEnd.GUEST_MAC, GuestEnd.OUR_MAC, EthernetHeader.TYPE_IPV4);
        Ipv4Header.write(frame.head(), protocol, 64, 0, (int) sourceLo, (int) destinationLo);
        return frame;
    }

    @Override
    public boolean end(OutFrame f) {
        Ipv4Header.complete(f.head(), EthernetHeader.BYTES, f.bytes() - EthernetHeader.BYTES);
        return link.send(f);
    }

    @Override
    public void flush() {
        link.flush();
    }

    @Override
    public boolean isWritable() {
        return link.isWritable();
    }

    @Override
    public int mtu() {
        return Math.min(1500, link.maxFrameBytes() - EthernetHeader.BYTES);
    }

    @Override
    public int maxGsoPayload(boolean v4) {
        return link.tso4ToGuest() ? 65_000 : 0;
    }

    @Override
    public boolean checksumOffload() {
        return link.checksumOffloadToGuest();
    }

    @Override
    public void onFrame(ByteBuf b, int offload) {
        int at = b.readerIndex() + EthernetHeader.BYTES;
        int header = Ipv4Header.headerBytes(b, at);
        tcp().onSegment(
                        b,
                        at + header,
                        Ipv4Header.totalLength(b, at) - header,
                        0,
                        IpAddress.loOfV4(Ipv4Header.source(b, at)),
                        0,
                        IpAddress.loOfV4(Ipv4Header.destination(b, at)),
                        offload);
    }

    @Override
    public void onBatchEnd() {
        tcp().onBatchEnd();
        link.flush();
    }

    @Override
    public void onWritable() {
        tcp().onWritable();
    }

    @Override
    public void onLinkState(boolean up) {
        tcp().onLinkState(up);
    }
}
