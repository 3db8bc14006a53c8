package dev.longshore.backend;

import dev.longshore.config.Ipv4Subnet;
import dev.longshore.config.Settings;
import dev.longshore.proxy.system.SystemProxies;
import dev.longshore.virtio.net.NetConfig;
import dev.longshore.virtio.net.NetDevice;
import dev.longshore.virtio.vhostuser.VhostUserBackend;
import dev.longshore.vpnkit.NetworkConfig;
import dev.longshore.vpnkit.flow.ContainerDirectory;
import dev.longshore.vpnkit.hostsocket.HalfCloseEpoll;
import io.netty.buffer.ByteBufAllocator;
import io.netty.channel.IoEventLoop;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;

/**
 * The daemon's network behind a vhost-user socket for a QEMU that is not ours, and nothing else. In this package, since it is
 * the backend's own network that is to be seen. Any thread.
 */
public final class BareNetwork implements AutoCloseable {
    private final MultiThreadIoEventLoopGroup group = new MultiThreadIoEventLoopGroup(1, HalfCloseEpoll.newFactory());
    private final IoEventLoop loop = group.next();
    private final NetDevice card =
            new NetDevice(loop, new NetConfig(NetworkConfig.GUEST_MAC, 1500, false), ByteBufAllocator.DEFAULT);
    private final VhostUserBackend backend;
    private final GuestNetwork network;

    /** When it returns, QEMU may connect. The host is .254 of the subnet, the gateway .1. */
    public BareNetwork(Path socket, String subnet) throws Exception {
        Settings settings =
                Settings.DEFAULTS.withNetwork(Settings.DEFAULTS.network().withSubnet(Ipv4Subnet.parse(subnet)));
        backend = new VhostUserBackend(loop, card, socket);
        SystemProxies system = SystemProxies.ofHost();
        network = Futures.get(loop.submit(() -> {
            GuestNetwork made = new GuestNetwork(
                    settings, card, loop, ContainerDirectory.NOBODY, system, new AuditPart(null), _ -> {}, () -> {});
            made.start();
            return made;
        }));
        Futures.get(backend.open());
    }

    /** What was negotiated and what happened, for a report. */
    public String summary() {
        return "queues " + backend.queue(0).counters().chains() + "/"
                + backend.queue(1).counters().chains() + " and "
                + backend.queue(2).counters().chains() + "/"
                + backend.queue(3).counters().chains() + " chains, " + kicks() + " kicks, " + calls() + " calls, "
                + card.counters().framesFromGuest() + "/" + card.counters().framesToGuest() + " frames, "
                + card.counters().blocked() + " times no room";
    }

    private long kicks() {
        return backend.queue(0).counters().kicks() + backend.queue(1).counters().kicks();
    }

    private long calls() {
        return backend.queue(0).counters().calls() + backend.queue(1).counters().calls();
    }

    /** Chains taken from the transmitq of pair {@code pair}. */
    public long chainsFromGuest(int pair) {
        return backend.queue(2 * pair + 1).counters().chains();
    }

    public long framesFromGuest() {
        return card.counters().framesFromGuest();
    }

    public long framesToGuest() {
        return card.counters().framesToGuest();
    }

    @Override
    public void close() {
        Futures.settle(backend.close());
        network.close();
        group.shutdownGracefully(0, 5, TimeUnit.SECONDS).awaitUninterruptibly(5, TimeUnit.SECONDS);
    }

    /** A process of its own, to be killed: {@code BareNetwork SOCKET SUBNET}. */
    public static void main(String[] args) throws Exception {
        var network = new BareNetwork(Path.of(args[0]), args[1]);
        System.out.println("ready");
        network.group.terminationFuture().await();
    }
}
