package dev.longshore.backend;

import dev.longshore.config.HostRoutes;
import dev.longshore.config.Settings;
import dev.longshore.config.SubnetChoice;
import dev.longshore.control.ControlServer;
import dev.longshore.control.FilesControl;
import dev.longshore.control.Outcome;
import dev.longshore.control.Ports;
import dev.longshore.control.SettingsControl;
import dev.longshore.link.SocketPath;
import dev.longshore.packet.link.FaultyLink;
import dev.longshore.packet.link.Link;
import dev.longshore.packet.link.PcapFile;
import dev.longshore.packet.link.PcapLink;
import dev.longshore.packet.wire.IpAddress;
import dev.longshore.proxy.system.SystemProxies;
import dev.longshore.virtio.net.NetDevice;
import dev.longshore.vpnkit.flow.ContainerDirectory;
import dev.longshore.vpnkit.hostsocket.HalfCloseEpoll;
import io.netty.buffer.ByteBufAllocator;
import io.netty.channel.IoEventLoop;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.util.concurrent.DefaultThreadFactory;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Clock;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** One network on one link, without a guest of ours. The main thread's; the link and all behind it are its loop's. */
final class NetRun {
    private static final Logger LOG = LoggerFactory.getLogger(NetRun.class);
    private static final long STOP_SECONDS = 5;
    private static final long PUBLISH_SECONDS = 5;

    private final NetOptions.Usable options;
    private final Runnable onEnd;
    private final MultiThreadIoEventLoopGroup group =
            new MultiThreadIoEventLoopGroup(1, new DefaultThreadFactory("link", true), HalfCloseEpoll.newFactory());
    private final IoEventLoop loop = group.next();
    private final Settings settings;
    private final EventLog events = new EventLog(Clock.systemUTC());
    private @Nullable NetLink link;
    private @Nullable GuestNetwork network;
    private @Nullable ControlServer control;
    private volatile boolean linkGone; // set on the loop, read by the main thread

    /** @param onEnd called, from any thread, when the link's device has been removed, or the control socket says so */
    NetRun(NetOptions.Usable options, Runnable onEnd) {
        this.options = options;
        this.onEnd = onEnd;
        SubnetChoice choice = SubnetChoice.choose(options.network(), HostRoutes.read());
        choice.overlap()
                .ifPresent(route -> LOG.warn(
                        "{} overlaps the host's route to {}; the guest's network is {}",
                        options.network().subnet(),
                        route,
                        choice.subnet()));
        this.settings = options.settings().withNetwork(options.network().withSubnet(choice.subnet()));
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
        try {
            NetLink made = NetLink.make(options.link(), settings.network(), loop, this::onGone);
            link = made;
            SystemProxies system = SystemProxies.ofHost(); // not on the loop: it may run a program
            GuestNetwork started = Futures.get(loop.submit(() -> {
                GuestNetwork n = new GuestNetwork(
                        settings,
                        recorded(withFaults(made.link())),
                        loop,
                        ContainerDirectory.NOBODY,
                        system,
                        new AuditPart(null),
                        events::add,
                        () -> {});
                n.start();
                return n;
            }));
            network = started;
            made.serve().serve();
            PublishedPorts ports = new PublishedPorts(
                    started.ports(), IpAddress.of(settings.network().plan().guest()));
            for (NetOptions.Publish wanted : options.publish()) {
                publish(ports, wanted);
            }
            Path socket = options.control();
            if (socket != null) {
                control = startControl(socket, ports, started, made);
            }
        } catch (PartException | InterruptedException | RuntimeException e) {
            throw e;
        } catch (Exception e) {
            throw new PartException("the network did not start: " + e, e);
        }
    }

    private static void publish(PublishedPorts ports, NetOptions.Publish wanted) throws Exception {
        Outcome<Ports.Port> outcome = ports.expose(
                        wanted.protocol(), wanted.hostAddress(), wanted.hostPort(), "", wanted.guestPort())
                .toCompletableFuture()
                .get(PUBLISH_SECONDS, TimeUnit.SECONDS);
        if (outcome instanceof Outcome.Failed<Ports.Port> failed) {
            throw new PartException("--publish: " + failed.text());
        }
    }

    private ControlServer startControl(Path socket, PublishedPorts ports, GuestNetwork started, NetLink made)
            throws IOException, PartException {
        try {
            new SocketPath(socket).prepare();
        } catch (IOException e) {
            throw new PartException("--control: " + e.getMessage(), e);
        }
        Meters meters = new Meters();
        made.meters().accept(new RunMeters(meters, started));
        NetDaemon daemon = new NetDaemon(
                options.link().toString(),
                settings.network(),
                started.proxies(),
                meters::scrape,
                started::dropped,
                onEnd);
        ControlServer server = ControlServer.start(
                socket,
                daemon,
                ports,
                events,
                started.view(),
                started.view(),
                SettingsControl.none("longshore net has no settings but its arguments"),
                started.policy(),
                started.dns(),
                started.proxies(),
                FilesControl.none("longshore net shares no files"));
        server.serving(true);
        return server;
    }

    private void onGone() {
        linkGone = true;
        onEnd.run();
    }

    /** The link, as bad as asked for. */
    private Link withFaults(Link link) {
        double share = options.faults();
        if (share == 0) {
            return link;
        }
        LOG.warn("{} of all frames are lost, damaged or doubled on purpose", share);
        return new FaultyLink(link, share, new SplittableRandom(), ByteBufAllocator.DEFAULT.directBuffer());
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
                            PcapFile::timeOfDayMicros,
                            e -> LOG.warn("--pcap: recording ended: {}", e.getMessage())));
        } catch (IOException e) {
            throw new PartException("--pcap: " + e, e);
        }
    }

    /** Ends all flows, closes the link. Idempotent. */
    void close() {
        if (control != null) {
            events.end();
            control.close();
            control = null;
        }
        GuestNetwork open = network;
        NetLink used = link;
        network = null;
        link = null;
        if (open != null) {
            open.close();
        } else if (used != null) {
            Futures.settle(loop.submit(used.link()::close));
        }
        if (used != null) {
            used.end().run();
        }
        group.shutdownGracefully(0, STOP_SECONDS, TimeUnit.SECONDS)
                .awaitUninterruptibly(STOP_SECONDS, TimeUnit.SECONDS);
    }
}
