package dev.longshore.backend;

import dev.longshore.config.HostRoutes;
import dev.longshore.config.Settings;
import dev.longshore.config.SubnetChoice;
import dev.longshore.link.tap.TapLink;
import dev.longshore.linux.Errno;
import dev.longshore.linux.Linux;
import dev.longshore.linux.NetworkNamespace;
import dev.longshore.linux.Tap;
import dev.longshore.packet.link.Link;
import dev.longshore.packet.link.PcapFile;
import dev.longshore.packet.link.PcapLink;
import dev.longshore.virtio.net.NetDevice;
import dev.longshore.vpnkit.hostsocket.HalfCloseEpoll;
import io.netty.buffer.ByteBufAllocator;
import io.netty.channel.IoEventLoop;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.util.concurrent.DefaultThreadFactory;
import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** One network on one link, without a guest of ours. The main thread's; the link and all behind it are its loop's. */
final class NetRun {
    private static final Logger LOG = LoggerFactory.getLogger(NetRun.class);
    private static final long STOP_SECONDS = 5;

    private final NetOptions.Usable options;
    private final Runnable onLinkGone;
    private final MultiThreadIoEventLoopGroup group =
            new MultiThreadIoEventLoopGroup(1, new DefaultThreadFactory("link", true), HalfCloseEpoll.newFactory());
    private final IoEventLoop loop = group.next();
    private final Settings settings;
    private @Nullable GuestNetwork network;
    private volatile boolean linkGone; // set on the loop, read by the main thread

    /** @param onLinkGone called from the loop when the link's device has been removed by somebody */
    NetRun(NetOptions.Usable options, Runnable onLinkGone) {
        this.options = options;
        this.onLinkGone = onLinkGone;
        SubnetChoice choice = SubnetChoice.choose(options.network(), HostRoutes.read());
        choice.overlap()
                .ifPresent(route -> LOG.warn(
                        "{} overlaps the host's route to {}; the guest's network is {}",
                        options.network().subnet(),
                        route,
                        choice.subnet()));
        this.settings = Settings.DEFAULTS.withNetwork(options.network().withSubnet(choice.subnet()));
    }

    /** With the subnet that is really used. */
    Settings settings() {
        return settings;
    }

    boolean isLinkGone() {
        return linkGone;
    }

    /** When it returns, the guest can use the network. Call {@link #close} afterwards in any case. */
    void start() throws PartException, InterruptedException {
        Link link =
                switch (options.link()) {
                    case NetOptions.LinkChoice.TapDevice tap -> open(tap);
                };
        try {
            network = Futures.get(loop.submit(() -> {
                GuestNetwork made = new GuestNetwork(settings, recorded(link), loop, _ -> {});
                made.start();
                return made;
            }));
        } catch (PartException | InterruptedException | RuntimeException e) {
            throw e;
        } catch (Exception e) {
            throw new PartException("the network did not start: " + e, e);
        }
    }

    private TapLink open(NetOptions.LinkChoice.TapDevice wanted) throws PartException, InterruptedException {
        String namespace = wanted.namespace();
        int fd = namespace == null
                ? openTap(wanted.name())
                : NetworkNamespace.of(namespace).call(() -> openTap(wanted.name()));
        if (fd < 0) {
            throw new PartException(wanted + ": " + Errno.text(-fd)
                    + (fd == -Errno.EPERM ? " (it needs CAP_NET_ADMIN, and CAP_SYS_ADMIN for a namespace)" : ""));
        }
        return new TapLink(loop, fd, wanted.toString(), ByteBufAllocator.DEFAULT, this::onGone);
    }

    private static int openTap(String name) {
        return new Tap(new Linux()).open(name, TapLink.HEADER_BYTES);
    }

    private void onGone() {
        linkGone = true;
        onLinkGone.run();
    }

    /** The link, recorded if asked for. */
    private Link recorded(Link link) throws PartException {
        String file = settings.network().pcapFile();
        if (file.isEmpty()) {
            return link;
        }
        try {
            return new PcapLink(
                    link,
                    PcapFile.create(
                            Path.of(file),
                            NetDevice.MAX_FRAME_BYTES,
                            () -> TimeUnit.MILLISECONDS.toMicros(System.currentTimeMillis()),
                            e -> LOG.warn("--pcap: recording ended: {}", e.getMessage())));
        } catch (IOException e) {
            throw new PartException("--pcap: " + e, e);
        }
    }

    /** Ends all flows, closes the link. Idempotent. */
    void close() {
        GuestNetwork open = network;
        network = null;
        if (open != null) {
            open.close();
        }
        group.shutdownGracefully(0, STOP_SECONDS, TimeUnit.SECONDS)
                .awaitUninterruptibly(STOP_SECONDS, TimeUnit.SECONDS);
    }
}
