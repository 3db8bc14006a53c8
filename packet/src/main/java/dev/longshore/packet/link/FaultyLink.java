package dev.longshore.packet.link;

import dev.longshore.packet.wire.Checksum;
import dev.longshore.packet.wire.EthernetHeader;
import io.netty.buffer.ByteBuf;
import java.util.random.RandomGenerator;

/**
 * A link as bad as a wire can be: a share of the frames of both directions is lost, damaged, doubled or overtaken by the next. For
 * soak tests of a running network. Confined to the link's event loop.
 *
 * <p>Theory of operation: a damaged frame has one wrong bit behind its Ethernet header, and nobody vouches for its checksum any
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

    private void flipOneBit(ByteBuf frame, int at) {
        int from = at + EthernetHeader.BYTES;
        int wrong = from + random.nextInt(frame.writerIndex() - from);
        frame.setByte(wrong, frame.getByte(wrong) ^ 1 << random.nextInt(8));
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
            b.setShort(start + frame.checksumOffset(), checksum);
        }
        flipOneBit(b, 0);
        return link.send(altered);
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
                    if (hasChecksum(frame, frame.readerIndex())) {
                        flipOneBit(frame, frame.readerIndex());
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
