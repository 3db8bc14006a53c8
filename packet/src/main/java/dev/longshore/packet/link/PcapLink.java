package dev.longshore.packet.link;

import io.netty.buffer.ByteBuf;

/**
 * A link whose frames are recorded in both directions. Segments appear as they cross the link: large, and with partial
 * checksums. A frame that was not sent for lack of room is recorded when it is sent. Confined to the link's event loop.
 */
public final class PcapLink implements Link {
    private final Link link;
    private final PcapFile file;

    /** Owns both from now on: {@link #close} closes them. */
    public PcapLink(Link link, PcapFile file) {
        this.link = link;
        this.file = file;
    }

    @Override
    public void open(FrameSink fromGuest) {
        link.open(new Recorder(fromGuest));
    }

    @Override
    public boolean send(OutFrame frame) {
        boolean sent = link.send(frame);
        if (sent) {
            file.record(frame);
        }
        return sent;
    }

    @Override
    public void flush() {
        link.flush();
        file.flush();
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
        file.close();
    }

    /** Stands between the link and the sink. */
    private final class Recorder implements FrameSink {
        private final FrameSink sink;

        Recorder(FrameSink sink) {
            this.sink = sink;
        }

        @Override
        public void onFrame(ByteBuf frame, int offload) {
            file.record(frame);
            sink.onFrame(frame, offload);
        }

        @Override
        public void onBatchEnd() {
            sink.onBatchEnd();
            file.flush();
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
