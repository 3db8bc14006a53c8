package dev.longshore.backend;

import dev.longshore.config.AddressPlan;
import dev.longshore.config.Settings;
import dev.longshore.link.datagram.DatagramLink;
import dev.longshore.link.stream.StreamLink;
import dev.longshore.link.tap.TapLink;
import dev.longshore.linux.Errno;
import dev.longshore.linux.InterfaceSetup;
import dev.longshore.linux.Linux;
import dev.longshore.linux.NetworkNamespace;
import dev.longshore.linux.Tap;
import dev.longshore.packet.link.Link;
import dev.longshore.virtio.net.NetConfig;
import dev.longshore.virtio.net.NetDevice;
import dev.longshore.virtio.vhostuser.VhostUserBackend;
import dev.longshore.vpnkit.NetworkConfig;
import io.netty.buffer.ByteBufAllocator;
import io.netty.channel.IoEventLoop;
import java.io.IOException;
import java.util.concurrent.Callable;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The link of {@code longshore net}, made but not opened. Immutable.
 *
 * @param link for the network, which closes it
 * @param meters adds the link's counters
 * @param serve lets guests in, when the network is there
 * @param end what is left to close after the link
 */
record NetLink(Link link, Consumer<RunMeters> meters, Serve serve, Runnable end) {
    /** May wait. */
    interface Serve {
        void serve() throws Exception;
    }

    private static final Logger LOG = LoggerFactory.getLogger(NetLink.class);
    private static final Serve AT_ONCE = () -> {};

    /**
     * Makes what the user has chosen. Called by the main thread.
     *
     * @param onGone called from the loop when the link's device has been removed by somebody
     */
    static NetLink make(NetOptions.LinkChoice choice, Settings.Network network, IoEventLoop loop, Runnable onGone)
            throws Exception {
        return switch (choice) {
            case NetOptions.LinkChoice.TapDevice tap -> tap(tap, network, loop, onGone);
            case NetOptions.LinkChoice.Qemu qemu -> stream(qemu, network, loop);
            case NetOptions.LinkChoice.Vfkit vfkit -> datagram(vfkit, network, loop);
            case NetOptions.LinkChoice.VhostUser vhost -> vhostUser(vhost, network, loop);
        };
    }

    private static NetLink tap(
            NetOptions.LinkChoice.TapDevice wanted, Settings.Network network, IoEventLoop loop, Runnable onGone)
            throws PartException, InterruptedException {
        int fd = inNamespace(wanted, () -> open(wanted));
        if (fd < 0) {
            throw failed(wanted, fd);
        }
        TapLink link = new TapLink(loop, fd, wanted.toString(), ByteBufAllocator.DEFAULT, onGone);
        if (wanted.configure()) {
            int r = inNamespace(wanted, () -> configure(wanted.name(), network));
            if (r < 0) {
                Futures.settle(loop.submit(link::close));
                throw failed(wanted, r);
            }
        }
        return new NetLink(link, m -> m.link(link.counters()), AT_ONCE, () -> {});
    }

    /** The descriptor, or a negated errno. */
    private static int open(NetOptions.LinkChoice.TapDevice wanted) {
        Linux linux = new Linux();
        int fd = new Tap(linux).open(wanted.name(), TapLink.HEADER_BYTES);
        if (fd >= 0) {
            int r = new InterfaceSetup(linux).queueAtLeast(wanted.name(), TapLink.QUEUE_PACKETS);
            if (r < 0) {
                LOG.info("{}: its queue stays short: {}", wanted, Errno.text(-r));
            }
        }
        return fd;
    }

    private static int inNamespace(NetOptions.LinkChoice.TapDevice wanted, Callable<Integer> work)
            throws InterruptedException {
        String namespace = wanted.namespace();
        return NetworkNamespace.of(namespace == null ? "/proc/self/ns/net" : namespace)
                .call(work);
    }

    private static int configure(String name, Settings.Network network) {
        AddressPlan plan = network.plan();
        return new InterfaceSetup(new Linux())
                .configure(
                        name,
                        NetworkConfig.GUEST_MAC,
                        plan.guest(),
                        network.subnet().prefix(),
                        plan.gateway(),
                        network.mtu());
    }

    private static PartException failed(NetOptions.LinkChoice.TapDevice wanted, int result) {
        return new PartException(wanted + ": " + Errno.text(-result)
                + (result == -Errno.EPERM ? " (it needs CAP_NET_ADMIN, and CAP_SYS_ADMIN for a namespace)" : ""));
    }

    private static NetLink stream(NetOptions.LinkChoice.Qemu wanted, Settings.Network network, IoEventLoop loop)
            throws Exception {
        return Futures.get(loop.submit(() -> {
            StreamLink link = new StreamLink(loop, wanted.path(), network.mtu(), ByteBufAllocator.DEFAULT);
            listening(link, link::listen);
            return new NetLink(link, m -> m.link(link.counters()), AT_ONCE, () -> {});
        }));
    }

    private static NetLink datagram(NetOptions.LinkChoice.Vfkit wanted, Settings.Network network, IoEventLoop loop)
            throws Exception {
        return Futures.get(loop.submit(() -> {
            DatagramLink link = new DatagramLink(loop, wanted.path(), network.mtu(), ByteBufAllocator.DEFAULT);
            listening(link, link::listen);
            return new NetLink(link, m -> m.link(link.counters()), AT_ONCE, () -> {});
        }));
    }

    private interface Listen {
        void listen() throws IOException;
    }

    private static void listening(Link link, Listen listen) throws PartException {
        try {
            listen.listen();
        } catch (IOException e) {
            link.close();
            throw new PartException(String.valueOf(e.getMessage()), e);
        }
    }

    private static NetLink vhostUser(
            NetOptions.LinkChoice.VhostUser wanted, Settings.Network network, IoEventLoop loop) {
        NetDevice card = new NetDevice(
                loop,
                new NetConfig(NetworkConfig.GUEST_MAC, network.mtu(), wanted.offersConfig()),
                ByteBufAllocator.DEFAULT);
        VhostUserBackend backend = new VhostUserBackend(loop, card, wanted.path());
        return new NetLink(
                card,
                m -> m.card(card.counters(), backend),
                () -> open(backend),
                () -> Futures.settle(backend.close()));
    }

    private static void open(VhostUserBackend backend) throws Exception {
        try {
            Futures.get(backend.open());
        } catch (IOException e) {
            throw new PartException(String.valueOf(e.getMessage()), e);
        }
    }
}
