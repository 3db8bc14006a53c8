package dev.longshore.packet.link;

import dev.longshore.packet.wire.Checksum;
import dev.longshore.packet.wire.EthernetHeader;
import dev.longshore.packet.wire.IpProtocol;
import dev.longshore.packet.wire.Ipv4Header;
import dev.longshore.packet.wire.Ipv6Header;
import dev.longshore.packet.wire.TcpHeader;
import dev.longshore.packet.wire.UdpHeader;
import io.netty.buffer.ByteBuf;
import java.util.random.RandomGenerator;

/**
 * A link as bad as a wire can be: a share of the frames of both directions is lost, damaged, doubled or overtaken by the next. For
 * soak tests of a running network. Confined to the link's event loop.
 *
 * <p>Theory of operation: a damaged frame has one bit set behind its Ethernet header that was not, and nobody vouches for its checksum any
 * more, so whoever gets it must find the damage. What the guest would cut into segments itself can't be damaged that way (it
 * would compute checksums over the damage), nor what has no checksum of its own (ARP): that is lost instead.
 */
public final class FaultyLink implements Link {
    private final Link link;
    private final RandomGenerator random;
    private final double share;
    private final OutFrame altered;
    private boolean closed;

    private enum Fault {
        NONE,
        LOST,
        DAMAGED,
        DOUBLED
    }

    /**
     * @param link owned from now on
     * @param share of the frames that something happens to, 0 to 1, by thirds lost, damaged and doubled
     */
    public FaultyLink(Link link, double share, RandomGenerator random, ByteBuf scratch) {
        this.link = link;
        this.share = share;
        this.random = random;
        this.altered = new OutFrame(scratch);
    }

    private Fault next() {
        double d = random.nextDouble();
        if (d >= share) {
            return Fault.NONE;
        }
        double third = share / 3;
        return d < third ? Fault.LOST : d < 2 * third ? Fault.DAMAGED : Fault.DOUBLED;
    }

    private static boolean hasChecksum(ByteBuf frame, int at) {
        int type = EthernetHeader.type(frame, at);
        boolean ip = type == EthernetHeader.TYPE_IPV4 || type == EthernetHeader.TYPE_IPV6;
        return ip && frame.writerIndex() - at > EthernetHeader.BYTES;
    }

    /**
     * Sets a bit that was not set: one, and never the other way round. The Internet checksum does not see a bit that is set in one
     * fragment of a datagram and one of the same weight that is cleared in another; of less than 16 set bits it sees any number.
     */
    private void damage(ByteBuf frame, int at) {
        int from = at + EthernetHeader.BYTES;
        int bytes = frame.writerIndex() - from;
        int wrong = random.nextInt(bytes);
        for (int i = 0; i < bytes && frame.getByte(from + wrong) == -1; i++) {
            wrong = (wrong + 1) % bytes;
        }
        int bit = random.nextInt(8);
        int old = frame.getUnsignedByte(from + wrong);
        while (old != 0xFF && (old >> bit & 1) != 0) {
            bit = (bit + 1) % 8;
        }
        frame.setByte(from + wrong, old | 1 << bit);
    }

    @Override
    public boolean send(OutFrame frame) {
        return switch (next()) {
            case NONE -> link.send(frame);
            case LOST -> true;
            case DAMAGED -> frame.gsoType() != OutFrame.GSO_NONE || !hasChecksum(frame.head(), 0) || sendDamaged(frame);
            case DOUBLED -> sendTwice(frame);
        };
    }

    private boolean sendTwice(OutFrame frame) {
        boolean sent = link.send(frame);
        if (sent) {
            link.send(frame); // no room for the second: nothing is lost that anybody misses
        }
        return sent;
    }

    private boolean sendDamaged(OutFrame frame) {
        altered.clear();
        ByteBuf b = altered.head();
        frame.copyTo(b);
        int start = frame.checksumStart();
        if (start >= 0) {
            int checksum = Checksum.finish(Checksum.sum(b, start, b.writerIndex() - start));
            b.setShort(start + frame.checksumOffset(), neverNone(checksum));
        }
        damage(b, 0);
        return link.send(altered);
    }

    /** To UDP, 0 says that there is no checksum; to all who have one, 0xFFFF is the same number. */
    private static int neverNone(int checksum) {
        return checksum == 0 ? 0xFFFF : checksum;
    }

    /**
     * Fills in what the sender left to its card. Without that, damage might make the pseudo-header's sum look like a right
     * checksum: once in 65,536 times.
     *
     * @return false if it can't be
     */
    private static boolean complete(ByteBuf frame, int at) {
        int ip = at + EthernetHeader.BYTES;
        int end = frame.writerIndex();
        boolean v4 = EthernetHeader.type(frame, at) == EthernetHeader.TYPE_IPV4;
        if (v4 ? !Ipv4Header.isValid(frame, ip, end - ip) : !Ipv6Header.isValid(frame, ip, end - ip)) {
            return false;
        }
        int protocol = v4 ? Ipv4Header.protocol(frame, ip) : Ipv6Header.nextHeader(frame, ip);
        int from = ip + (v4 ? Ipv4Header.headerBytes(frame, ip) : Ipv6Header.BYTES);
        int bytes = v4 ? ip + Ipv4Header.totalLength(frame, ip) - from : Ipv6Header.payloadLength(frame, ip);
        int offset =
                switch (protocol) {
                    case IpProtocol.TCP -> TcpHeader.CHECKSUM_OFFSET;
                    case IpProtocol.UDP -> UdpHeader.CHECKSUM_OFFSET;
                    default -> bytes;
                };
        if (offset + 2 > bytes || from + bytes > end) {
            return false;
        }
        frame.setShort(from + offset, neverNone(Checksum.finish(Checksum.sum(frame, from, bytes))));
        return true;
    }

    @Override
    public void open(FrameSink fromGuest) {
        link.open(new Damager(fromGuest));
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
    public int maxFrameBytes() {
        return link.maxFrameBytes();
    }

    @Override
    public boolean tso4ToGuest() {
        return link.tso4ToGuest();
    }

    @Override
    public boolean tso6ToGuest() {
        return link.tso6ToGuest();
    }

    @Override
    public boolean checksumOffloadToGuest() {
        return link.checksumOffloadToGuest();
    }

    @Override
    public void close() {
        link.close();
        if (!closed) {
            closed = true;
            altered.release();
        }
    }

    /** Stands between the link and the sink. */
    private final class Damager implements FrameSink {
        private final FrameSink sink;

        Damager(FrameSink sink) {
            this.sink = sink;
        }

        @Override
        public void onFrame(ByteBuf frame, int offload) {
            switch (next()) {
                case NONE -> sink.onFrame(frame, offload);
                case LOST -> {}
                case DAMAGED -> {
                    int at = frame.readerIndex();
                    boolean partial = (offload & CHECKSUM_PARTIAL) != 0;
                    if (hasChecksum(frame, at) && (!partial || complete(frame, at))) {
                        damage(frame, at);
                        sink.onFrame(frame, offload & LARGE_SEGMENT);
                    }
                }
                case DOUBLED -> {
                    sink.onFrame(frame, offload);
                    sink.onFrame(frame, offload);
                }
            }
        }

        @Override
        public void onBatchEnd() {
            sink.onBatchEnd();
        }

        @Override
        public void onWritable() {
            sink.onWritable();
        }

        @Override
        public void onLinkState(boolean up) {
            sink.onLinkState(up);
        }
    }
}
