package dev.longshore.link.datagram;

import dev.longshore.link.DatagramPair;
import dev.longshore.link.SocketGuest;
import dev.longshore.packet.link.Link;
import dev.longshore.testkit.LinkContract;
import dev.longshore.testkit.VirtualLoop;
import io.netty.buffer.UnpooledByteBufAllocator;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.unix.Socket;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.io.TempDir;

class DatagramLinkContractTest extends LinkContract {
    @TempDir
    Path dir;

    @Override
    protected Carrier carrier() throws IOException {
        return new Vfkit(dir);
    }

    private static final class Vfkit implements Carrier {
        private final VirtualLoop loop = new VirtualLoop(EpollIoHandler.newFactory());
        private final Path dir;
        private final DatagramLink link;
        private @Nullable SocketGuest guest;

        Vfkit(Path dir) throws IOException {
            this.dir = dir;
            link = new DatagramLink(loop, dir.resolve("s"), 1500, UnpooledByteBufAllocator.DEFAULT);
            link.listen();
        }

        private SocketGuest guest() {
            SocketGuest there = guest;
            if (there == null) {
                throw new IllegalStateException("no guest");
            }
            return there;
        }

        @Override
        public Link link() {
            return link;
        }

        @Override
        public void guestAppears() throws IOException {
            Files.deleteIfExists(dir.resolve("guest"));
            Socket socket = DatagramPair.bound(dir.resolve("guest"));
            DatagramPair.connect(socket, dir.resolve("s"));
            SocketGuest made = new SocketGuest(socket);
            made.send("VFKT".getBytes(StandardCharsets.US_ASCII));
            guest = made;
        }

        @Override
        public void guestVanishes() throws IOException {
            guest().close();
            guest = null;
            loop.runDue();
            loop.advance(Duration.ofSeconds(1)); // nothing tells but the link's own look
        }

        @Override
        public void guestSends(byte[] frame) throws IOException {
            guest().send(frame);
        }

        @Override
        public byte @Nullable [] guestReceives() throws IOException {
            return guest().receive();
        }

        @Override
        public void runUntil(BooleanSupplier condition, String what) {
            loop.runUntil(condition, what);
        }

        @Override
        public void close() throws IOException {
            loop.close();
            if (guest != null) {
                guest.close();
            }
        }
    }
}
