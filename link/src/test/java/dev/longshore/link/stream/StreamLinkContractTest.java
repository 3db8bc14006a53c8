package dev.longshore.link.stream;

import dev.longshore.packet.link.Link;
import dev.longshore.testkit.LinkContract;
import dev.longshore.testkit.VirtualLoop;
import io.netty.buffer.UnpooledByteBufAllocator;
import io.netty.channel.epoll.EpollIoHandler;
import java.io.IOException;
import java.nio.file.Path;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.io.TempDir;

class StreamLinkContractTest extends LinkContract {
    @TempDir
    Path dir;

    @Override
    protected Carrier carrier() throws IOException {
        return new Qemu(dir.resolve("s"));
    }

    private static final class Qemu implements Carrier {
        private final VirtualLoop loop = new VirtualLoop(EpollIoHandler.newFactory());
        private final Path path;
        private final StreamLink link;
        private @Nullable StreamGuest guest;

        Qemu(Path path) throws IOException {
            this.path = path;
            link = new StreamLink(loop, path, 1500, UnpooledByteBufAllocator.DEFAULT);
            link.listen();
        }

        private StreamGuest guest() {
            StreamGuest there = guest;
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
            guest = new StreamGuest(path);
        }

        @Override
        public void guestVanishes() throws IOException {
            guest().close();
            guest = null;
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
