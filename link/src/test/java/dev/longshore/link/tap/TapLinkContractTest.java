package dev.longshore.link.tap;

import dev.longshore.link.DatagramPair;
import dev.longshore.link.SocketGuest;
import dev.longshore.packet.link.Link;
import dev.longshore.packet.wire.VirtioNetHeader;
import dev.longshore.testkit.LinkContract;
import dev.longshore.testkit.VirtualLoop;
import io.netty.buffer.UnpooledByteBufAllocator;
import io.netty.channel.epoll.EpollIoHandler;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Disabled;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The contract over a datagram socket in the device's place; over a real device in {@code integration-tests}. */
class TapLinkContractTest extends LinkContract {
    @TempDir
    Path dir;

    @Override
    protected Carrier carrier() throws IOException {
        VirtualLoop loop = new VirtualLoop(EpollIoHandler.newFactory());
        DatagramPair pair = DatagramPair.in(dir);
        Link link = new TapLink(loop, pair.link().intValue(), "tap-test", UnpooledByteBufAllocator.DEFAULT, () -> {});
        return new Fake(loop, link, new SocketGuest(pair.guest()));
    }

    @Override
    @Test
    @Disabled("a datagram socket does not tell that its peer has gone")
    protected void guestThatGoesAndComesBack_isHeardOfOnceEach_andServedAgain() {}

    private record Fake(VirtualLoop loop, Link link, SocketGuest guest) implements Carrier {
        @Override
        public void guestAppears() {}

        @Override
        public void guestVanishes() {}

        @Override
        public void guestSends(byte[] frame) throws IOException {
            byte[] packet = new byte[VirtioNetHeader.BYTES + frame.length];
            System.arraycopy(frame, 0, packet, VirtioNetHeader.BYTES, frame.length);
            guest.send(packet);
        }

        @Override
        public byte @Nullable [] guestReceives() throws IOException {
            byte[] packet = guest.receive();
            return packet == null ? null : Arrays.copyOfRange(packet, VirtioNetHeader.BYTES, packet.length);
        }

        @Override
        public void runUntil(BooleanSupplier condition, String what) {
            loop.runUntil(condition, what);
        }

        @Override
        public void close() throws IOException {
            loop.close();
            guest.close();
        }
    }
}
