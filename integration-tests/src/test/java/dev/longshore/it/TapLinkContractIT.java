package dev.longshore.it;

import dev.longshore.link.tap.TapLink;
import dev.longshore.linux.Linux;
import dev.longshore.linux.NetworkNamespace;
import dev.longshore.linux.Tap;
import dev.longshore.packet.link.Link;
import dev.longshore.packet.link.OutFrame;
import dev.longshore.testkit.LinkContract;
import dev.longshore.testkit.VirtualLoop;
import io.netty.buffer.Unpooled;
import io.netty.buffer.UnpooledByteBufAllocator;
import io.netty.channel.epoll.EpollIoHandler;
import java.util.Objects;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Timeout;

/** The contract of every link over a real TAP device in a namespace, whose kernel says nothing by itself. */
@Timeout(120)
@BesideTheGuest
class TapLinkContractIT extends LinkContract {
    private static final String DEVICE = "tap0";

    @Override
    protected Carrier carrier() throws InterruptedException {
        return new Device("lsit-contract-" + ProcessHandle.current().pid() % 65_536);
    }

    private static final class Device implements Carrier {
        private final String namespace;
        private final VirtualLoop loop = new VirtualLoop(EpollIoHandler.newFactory());
        private final TapLink link;
        private @Nullable PacketSocket guest;

        Device(String namespace) throws InterruptedException {
            this.namespace = namespace;
            Command.of("ip", "netns", "add", namespace).run().expectOk();
            Command.of("ip", "netns", "exec", namespace, "sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1")
                    .run()
                    .expectOk();
            int fd = NetworkNamespace.of(namespace).call(() -> new Tap(new Linux()).open(DEVICE, TapLink.HEADER_BYTES));
            if (fd < 0) {
                throw new AssertionError("no TAP device: errno " + -fd);
            }
            link = new TapLink(loop, fd, DEVICE, UnpooledByteBufAllocator.DEFAULT, () -> {});
        }

        private PacketSocket guest() {
            return Objects.requireNonNull(guest);
        }

        private void closeGuest() {
            PacketSocket open = guest;
            guest = null;
            if (open != null) {
                open.close();
            }
        }

        private void set(String state) {
            Command.of("ip", "-n", namespace, "link", "set", DEVICE, state)
                    .run()
                    .expectOk();
        }

        @Override
        public Link link() {
            return link;
        }

        @Override
        public void guestAppears() throws InterruptedException {
            set("up");
            guest = new PacketSocket(namespace, DEVICE); // one that saw the device go down would say so first
        }

        /** The link finds out as any sender does: by the next frame. */
        @Override
        public void guestVanishes() {
            closeGuest();
            set("down");
            OutFrame frame = new OutFrame(Unpooled.directBuffer(60).writeZero(60));
            boolean sent = link.send(frame);
            frame.release();
            if (sent) {
                throw new AssertionError("a device that is down took a frame");
            }
        }

        @Override
        public void guestSends(byte[] frame) {
            guest().send(frame);
        }

        @Override
        public byte @Nullable [] guestReceives() {
            return guest().receive();
        }

        @Override
        public void runUntil(BooleanSupplier condition, String what) {
            loop.runUntil(condition, what);
        }

        /** What is written to the device is received at once, by whoever wants it. */
        @Override
        public boolean isBounded() {
            return false;
        }

        @Override
        public void close() {
            loop.close();
            closeGuest();
            Command.of("ip", "netns", "del", namespace).run().expectOk();
        }
    }
}
