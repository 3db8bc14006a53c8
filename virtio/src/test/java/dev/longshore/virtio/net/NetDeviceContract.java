package dev.longshore.virtio.net;

import dev.longshore.linux.Linux;
import dev.longshore.packet.link.Link;
import dev.longshore.testkit.LinkContract;
import dev.longshore.virtio.vhostuser.FrontEnd;
import dev.longshore.virtio.vhostuser.TestLoop;
import dev.longshore.virtio.vhostuser.VhostUserBackend;
import dev.longshore.virtio.virtqueue.GuestRam;
import io.netty.buffer.UnpooledByteBufAllocator;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Objects;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.io.TempDir;

/** The contract of every link over vhost-user: a real socket, real rings in shared memory, and a driver in this process. */
abstract class NetDeviceContract extends LinkContract {
    private static final int QUEUE = 256;
    private static final Duration LIMIT = Duration.ofSeconds(10);

    /** A driver posts this many buffers, and one more for each it takes back. */
    private static final int POSTED = 100;

    @TempDir
    Path dir;

    /** As User-mode Linux says hello, or as QEMU does. */
    abstract boolean isUml();

    /** The features this guest takes, of those that are offered. */
    abstract long wanted();

    @Override
    protected Carrier carrier() {
        return new Vhost();
    }

    private final class Vhost implements Carrier {
        private final Linux linux = new Linux();
        private final TestLoop loop = new TestLoop();
        private final GuestRam ram = isUml() ? GuestRam.ofUml(linux, 64 << 20) : GuestRam.ofQemu(linux, 64 << 20);
        private final NetDevice device = new NetDevice(
                loop.loop(), new NetConfig(0x024c53000003L, 1500, isUml()), UnpooledByteBufAllocator.DEFAULT);
        private final VhostUserBackend backend = new VhostUserBackend(loop.loop(), device, dir.resolve("s"));
        private @Nullable FrontEnd front;
        private @Nullable NetGuest guest;

        Vhost() {
            if (!backend.open().isSuccess()) {
                throw new AssertionError("no socket");
            }
        }

        private NetGuest guest() {
            return Objects.requireNonNull(guest);
        }

        private int bufferBytes() {
            return (wanted() & NetFeatures.MRG_RXBUF) != 0 ? 1536 : 65_562;
        }

        @Override
        public Link link() {
            return device;
        }

        @Override
        public void guestAppears() {
            FrontEnd made = new FrontEnd(linux, loop::settle, ram, dir.resolve("s"), 2);
            if (isUml()) {
                made.bootAsUml(QUEUE, wanted());
            } else {
                made.bootAsQemu(QUEUE, wanted(), 0);
            }
            front = made;
            guest = new NetGuest(made, ram);
            guest().post(POSTED, bufferBytes());
        }

        @Override
        public void guestVanishes() {
            Objects.requireNonNull(front).close();
        }

        @Override
        public void guestSends(byte[] frame) {
            guest().send(frame);
            guest().kickTransmitq();
        }

        @Override
        public byte @Nullable [] guestReceives() {
            NetGuest.Received next = guest().receive();
            if (next == null) {
                return null;
            }
            guest().post(next.buffers(), bufferBytes());
            return next.frame;
        }

        @Override
        public void runUntil(BooleanSupplier condition, String what) {
            long end = System.nanoTime() + LIMIT.toNanos();
            loop.settle();
            while (!condition.getAsBoolean()) {
                if (System.nanoTime() - end > 0) {
                    throw new AssertionError("waited in vain for " + what);
                }
                loop.settle();
            }
        }

        @Override
        public void close() {
            FrontEnd open = front;
            if (open != null) {
                open.close();
            }
            backend.close();
            loop.close();
            ram.close();
        }
    }
}
