package dev.longshore.testkit;

import dev.longshore.packet.link.Link;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/** What tests take for a link is one. */
class VirtualLinkContractTest extends LinkContract {
    private static final int ROOM = 64;

    /** With segmentation and checksums by the guest, or without. */
    boolean offloads() {
        return false;
    }

    /** The link that is tested: {@code virtual}, or something around it. */
    Link around(VirtualLink virtual) {
        return virtual;
    }

    @Override
    protected Carrier carrier() {
        return new Virtual();
    }

    private final class Virtual implements Carrier {
        private final VirtualLoop loop = new VirtualLoop();
        private final VirtualLink virtual = (offloads() ? new VirtualLink().offloading() : new VirtualLink()).lenient();
        private final Link link = around(virtual);
        private final Deque<byte[]> received = new ArrayDeque<>();

        Virtual() {
            virtual.limitRoom(ROOM);
            virtual.onFrameToGuest(frame -> received.add(ByteBufUtil.getBytes(frame)));
        }

        @Override
        public Link link() {
            return link;
        }

        @Override
        public void guestAppears() {
            virtual.setUp(true);
        }

        @Override
        public void guestVanishes() {
            virtual.setUp(false);
        }

        @Override
        public void guestSends(byte[] frame) {
            virtual.deliver(Unpooled.directBuffer(frame.length).writeBytes(frame), 0);
        }

        @Override
        public byte @Nullable [] guestReceives() {
            byte[] next = received.poll();
            if (next != null) {
                virtual.makeRoom(1);
            }
            return next;
        }

        @Override
        public void runUntil(BooleanSupplier condition, String what) {
            loop.runNow();
            if (!condition.getAsBoolean()) {
                throw new AssertionError("no " + what);
            }
        }

        @Override
        public void close() {
            loop.close();
        }
    }
}
