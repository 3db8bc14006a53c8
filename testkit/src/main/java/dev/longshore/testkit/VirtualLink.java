package dev.longshore.testkit;

import dev.longshore.packet.link.FrameSink;
import dev.longshore.packet.link.Link;
import dev.longshore.packet.link.OffloadRequest;
import dev.longshore.packet.link.OutFrame;
import dev.longshore.packet.wire.Checksum;
import dev.longshore.packet.wire.EthernetHeader;
import dev.longshore.packet.wire.Ipv4Header;
import dev.longshore.packet.wire.Ipv6Header;
import dev.longshore.packet.wire.TcpHeader;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.Iterator;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * A link in memory. What the stack sends becomes visible to the guest at {@link #flush} only, with partial checksums
 * completed as a guest's kernel would. Room, capabilities and faults are the test's to set. Confined to the test's thread.
 */
public final class VirtualLink implements Link {
    private static final int UNLIMITED = Integer.MAX_VALUE;

    private final Deque<ByteBuf> unflushed = new ArrayDeque<>();
    private final Deque<ByteBuf> held = new ArrayDeque<>();
    private final List<Delayed> delayedToGuest = new ArrayList<>();
    private final List<Delayed> delayedFromGuest = new ArrayList<>();
    private @Nullable FrameSink sink;
    private Consumer<ByteBuf> guest = ByteBuf::release;
    private FaultInjector faultsToGuest = FaultInjector.none();
    private FaultInjector faultsFromGuest = FaultInjector.none();
    private int room = UNLIMITED;
    private boolean writable = true;
    private boolean up;
    private boolean closed;
    private int maxFrameBytes = 1514;
    private boolean tso4;
    private boolean tso6;
    private boolean checksumOffload;
    private boolean holding;
    private boolean lenient;
    private boolean refused; // a send, and the sink has not heard of room since
    private long framesToGuest;
    private long flushes;

    /** A frame that {@code behind} more frames overtake first. */
    private static final class Delayed {
        final ByteBuf frame;
        final int offload;
        int behind;

        Delayed(ByteBuf frame, int offload, int behind) {
            this.frame = frame;
            this.offload = offload;
            this.behind = behind;
        }
    }

    // ---- the test's side

    /** Who gets the frames to the guest; owns each. */
    void onFrameToGuest(Consumer<ByteBuf> receiver) {
        guest = receiver;
    }

    /** Plain Ethernet: no offloads, 14 + MTU bytes. The default, with an MTU of 1500. */
    public VirtualLink plain(int mtu) {
        maxFrameBytes = 14 + mtu;
        tso4 = false;
        tso6 = false;
        checksumOffload = false;
        return this;
    }

    /** A virtio guest with GUEST_CSUM and GUEST_TSO4/6. */
    public VirtualLink offloading() {
        maxFrameBytes = 65_550;
        tso4 = true;
        tso6 = true;
        checksumOffload = true;
        return this;
    }

    public VirtualLink faults(FaultInjector toGuest, FaultInjector fromGuest) {
        faultsToGuest = toGuest;
        faultsFromGuest = fromGuest;
        return this;
    }

    /** After {@code frames} more frames there is no room, until {@link #makeRoom}. */
    public void limitRoom(int frames) {
        room = frames;
    }

    /** The guest gave new buffers: unlimited room, and the sink is told if it had been refused. */
    public void makeRoom() {
        room = UNLIMITED;
        tellRoom();
    }

    /** The guest gave buffers for {@code frames} more frames. */
    public void makeRoom(int frames) {
        room = room == UNLIMITED ? UNLIMITED : room + frames;
        tellRoom();
    }

    private void tellRoom() {
        writable = true;
        if (refused && up) {
            refused = false;
            sink().onWritable();
        }
    }

    /** What a stack may not send is dropped, as a real link does it, and fails no test. */
    public VirtualLink lenient() {
        lenient = true;
        return this;
    }

    /** While true, flushed frames wait in the link: the guest is slow. On false all of them arrive. */
    public void hold(boolean hold) {
        holding = hold;
        while (!holding && !held.isEmpty()) {
            guest.accept(held.removeFirst());
        }
    }

    /** The guest's device appears or vanishes. */
    public void setUp(boolean isUp) {
        up = isUp;
        sink().onLinkState(isUp);
        if (isUp && writable) {
            tellRoom();
        }
    }

    /** One frame from the guest and the end of its batch. Takes ownership. */
    public void deliver(ByteBuf frame, int offload) {
        deliverInBatch(frame, offload);
        endBatch();
    }

    /** One frame from the guest in a batch that goes on. Takes ownership. */
    public void deliverInBatch(ByteBuf frame, int offload) {
        if (faultsFromGuest.loses()) {
            frame.release();
            return;
        }
        int behind = faultsFromGuest.overtakenBy();
        if (behind > 0) {
            delayedFromGuest.add(new Delayed(frame, offload, behind));
            return;
        }
        faultsFromGuest.corrupts(frame);
        if (faultsFromGuest.duplicates()) {
            hand(frame.copy(), offload);
        }
        hand(frame, offload);
        for (Iterator<Delayed> i = delayedFromGuest.iterator(); i.hasNext(); ) {
            Delayed d = i.next();
            if (--d.behind <= 0) {
                i.remove();
                hand(d.frame, d.offload);
            }
        }
    }

    /** Frames held back behind others that did not come arrive now, in both directions: time has passed. */
    public void releaseDelayed() {
        List<Delayed> late = List.copyOf(delayedFromGuest);
        delayedFromGuest.clear();
        for (Delayed d : late) {
            hand(d.frame, d.offload);
            endBatch();
        }
        List<Delayed> lateToGuest = List.copyOf(delayedToGuest);
        delayedToGuest.clear();
        for (Delayed d : lateToGuest) {
            toGuest(d.frame);
        }
    }

    public void endBatch() {
        sink().onBatchEnd();
    }

    /** Frames the stack has sent, lost ones included. */
    public long framesToGuest() {
        return framesToGuest;
    }

    public long flushes() {
        return flushes;
    }

    /** Frames sent but not flushed: none may be left when the stack has returned. */
    public int unflushedFrames() {
        return unflushed.size();
    }

    public boolean isClosed() {
        return closed;
    }

    private void hand(ByteBuf frame, int offload) {
        int references = frame.refCnt();
        sink().onFrame(frame, offload);
        check(frame.refCnt() >= references, "the sink released a borrowed frame");
        frame.release();
    }

    private FrameSink sink() {
        FrameSink s = sink;
        if (s == null) {
            throw new IllegalStateException("not open");
        }
        return s;
    }

    // ---- the stack's side

    @Override
    public void open(FrameSink fromGuest) {
        if (sink != null) {
            throw new IllegalStateException("opened twice");
        }
        sink = fromGuest;
    }

    @Override
    public boolean send(OutFrame frame) {
        if (closed || !up || !writable) {
            refused = true;
            return false;
        }
        if (room == 0) {
            writable = false;
            refused = true;
            return false;
        }
        if (lenient && !isAllowed(frame)) {
            return true;
        }
        if (frame.bytes() > maxFrameBytes) {
            throw new AssertionError("frame of " + frame.bytes() + " bytes, the link takes " + maxFrameBytes);
        }
        if (room != UNLIMITED) {
            room--;
        }
        framesToGuest++;
        unflushed.add(asReceived(frame));
        return true;
    }

    private boolean isAllowed(OutFrame frame) {
        return frame.bytes() <= maxFrameBytes && OffloadRequest.isAgreed(frame, checksumOffload, tso4, tso6);
    }

    /** The frame as the guest's stack sees it; checks that the offload metadata is consistent and allowed. */
    private ByteBuf asReceived(OutFrame frame) {
        ByteBuf copy = Unpooled.buffer(frame.bytes());
        frame.copyTo(copy);
        if (frame.gsoType() != OutFrame.GSO_NONE) {
            check(frame.gsoType() == OutFrame.GSO_TCPV4 ? tso4 : tso6, "GSO not agreed");
            check(frame.checksumStart() >= 0, "GSO without a partial checksum");
            check(frame.gsoSize() > 0, "GSO without a size");
            check(frame.headerBytes() >= frame.checksumStart() + 20, "GSO header length");
            check(!isOtherPacket(copy, frame.gsoType() == OutFrame.GSO_TCPV4), "GSO of what is no TCP segment");
        } else {
            check(frame.bytes() <= 65_550, "too large");
        }
        if (frame.checksumStart() >= 0) {
            check(checksumOffload, "partial checksum not agreed");
            int start = frame.checksumStart();
            int checksum = Checksum.finish(Checksum.sum(copy, start, copy.writerIndex() - start));
            copy.setShort(start + frame.checksumOffset(), checksum == 0 ? 0xFFFF : checksum);
        }
        return copy;
    }

    /** A valid IP packet that is no TCP segment of the family it is to be cut as; what tests of links send is no packet. */
    private static boolean isOtherPacket(ByteBuf frame, boolean v4) {
        int at = EthernetHeader.BYTES;
        int len = frame.readableBytes() - at;
        return switch (EthernetHeader.type(frame, 0)) {
            case EthernetHeader.TYPE_IPV4 ->
                Ipv4Header.isValid(frame, at, len)
                        && Ipv4Header.isChecksumRight(frame, at)
                        && !(v4 && Ipv4Header.protocol(frame, at) == TcpHeader.PROTOCOL);
            case EthernetHeader.TYPE_IPV6 ->
                Ipv6Header.isValid(frame, at, len) && (v4 || Ipv6Header.nextHeader(frame, at) != TcpHeader.PROTOCOL);
            default -> false;
        };
    }

    private static void check(boolean condition, String what) {
        if (!condition) {
            throw new AssertionError(what);
        }
    }

    @Override
    public void flush() {
        flushes++;
        while (!unflushed.isEmpty()) {
            ByteBuf frame = unflushed.removeFirst();
            if (faultsToGuest.loses()) {
                frame.release();
                continue;
            }
            int behind = faultsToGuest.overtakenBy();
            if (behind > 0) {
                delayedToGuest.add(new Delayed(frame, 0, behind));
                continue;
            }
            if (faultsToGuest.duplicates()) {
                toGuest(frame.copy());
            }
            toGuest(frame);
            for (Iterator<Delayed> i = delayedToGuest.iterator(); i.hasNext(); ) {
                Delayed d = i.next();
                if (--d.behind <= 0) {
                    i.remove();
                    toGuest(d.frame);
                }
            }
        }
    }

    private void toGuest(ByteBuf frame) {
        if (holding) {
            held.add(frame);
        } else {
            guest.accept(frame);
        }
    }

    @Override
    public boolean isWritable() {
        return writable && up && !closed;
    }

    @Override
    public int maxFrameBytes() {
        return maxFrameBytes;
    }

    @Override
    public boolean tso4ToGuest() {
        return tso4;
    }

    @Override
    public boolean tso6ToGuest() {
        return tso6;
    }

    @Override
    public boolean checksumOffloadToGuest() {
        return checksumOffload;
    }

    @Override
    public void close() {
        closed = true;
        unflushed.forEach(ByteBuf::release);
        unflushed.clear();
        held.forEach(ByteBuf::release);
        held.clear();
        delayedToGuest.forEach(d -> d.frame.release());
        delayedToGuest.clear();
        delayedFromGuest.forEach(d -> d.frame.release());
        delayedFromGuest.clear();
    }
}
