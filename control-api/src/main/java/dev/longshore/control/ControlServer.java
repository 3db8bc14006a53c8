package dev.longshore.control;

import io.grpc.BindableService;
import io.grpc.Server;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.netty.NettyServerBuilder;
import io.grpc.protobuf.services.HealthStatusManager;
import io.grpc.protobuf.services.ProtoReflectionServiceV1;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.unix.DomainSocketAddress;
import io.netty.util.concurrent.DefaultThreadFactory;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * The control API: on a socket that only the user that runs the daemon can connect to, since it has mode 0600 in a directory
 * of mode 0700, and whoever gets there all the same is asked for by the kernel ({@link PeerCheck}); and, where wanted, on TCP by TLS
 * for clients that show a certificate. Thread-safe.
 */
public final class ControlServer implements AutoCloseable {
    private static final long GRACE_SECONDS = 2;

    private final Path socket;
    private final List<BindableService> services;
    private final Server server;
    private final HealthStatusManager health;
    private final EventLoopGroup loops;
    private final ExecutorService calls;
    private @Nullable Server remote; // under the lock

    private ControlServer(
            Path socket,
            List<BindableService> services,
            Server server,
            HealthStatusManager health,
            EventLoopGroup loops,
            ExecutorService calls) {
        this.socket = socket;
        this.services = services;
        this.server = server;
        this.health = health;
        this.loops = loops;
        this.calls = calls;
    }

    /** Binds the socket; a file that is in the way is removed, since the caller holds the home's lock. */
    public static ControlServer start(
            Path socket,
            Daemon daemon,
            Ports ports,
            Events events,
            Flows flows,
            Captures captures,
            SettingsControl settings,
            PolicyControl policy,
            DnsControl dns,
            ProxyControl proxies,
            FilesControl files)
            throws IOException {
        Files.deleteIfExists(socket);
        HealthStatusManager health = new HealthStatusManager();
        EventLoopGroup loops = new MultiThreadIoEventLoopGroup(
                1, new DefaultThreadFactory("control-loop", true), EpollIoHandler.newFactory());
        ExecutorService calls = Executors.newSingleThreadExecutor(new DefaultThreadFactory("control", true));
        List<BindableService> services = List.of(
                new DaemonEndpoint(daemon),
                new VersionEndpoint(),
                new PortEndpoint(ports),
                new EventEndpoint(events),
                new FlowEndpoint(flows, calls, loops),
                new CaptureEndpoint(captures, calls),
                new SettingsEndpoint(settings, calls),
                new PolicyEndpoint(policy),
                new DnsEndpoint(dns),
                new ProxyEndpoint(proxies),
                new FileEndpoint(files, calls),
                health.getHealthService(),
                ProtoReflectionServiceV1.newInstance());
        NettyServerBuilder builder = NettyServerBuilder.forAddress(new DomainSocketAddress(socket.toFile()))
                .channelFactory(PeerCheck::serverChannel)
                .bossEventLoopGroup(loops)
                .workerEventLoopGroup(loops)
                .executor(calls);
        services.forEach(builder::addService);
        Server server = builder.build();
        ControlServer control = new ControlServer(socket, services, server, health, loops, calls);
        try {
            server.start();
            Files.setPosixFilePermissions(socket, PosixFilePermissions.fromString("rw-------"));
        } catch (IOException e) {
            control.close();
            throw e;
        }
        return control;
    }

    /** What the standard health service says from now on: serving while the Engine answers. */
    public void serving(boolean serving) {
        health.setStatus(
                HealthStatusManager.SERVICE_NAME_ALL_SERVICES,
                serving ? ServingStatus.SERVING : ServingStatus.NOT_SERVING);
    }

    /**
     * Listens on TCP as well, and no longer where it did before.
     *
     * @param listener null for nowhere
     * @throws IOException with what is wrong, for the user; it listens nowhere then
     */
    public synchronized void serveRemotely(@Nullable MutualTls listener) throws IOException {
        Server before = remote;
        remote = null;
        if (before != null) {
            before.shutdownNow();
            try {
                before.awaitTermination(GRACE_SECONDS, TimeUnit.SECONDS);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }
        if (listener != null) {
            NettyServerBuilder builder = NettyServerBuilder.forAddress(listener.address())
                    .channelType(EpollServerSocketChannel.class)
                    .bossEventLoopGroup(loops)
                    .workerEventLoopGroup(loops)
                    .executor(calls)
                    .sslContext(listener.context());
            services.forEach(builder::addService);
            remote = builder.build().start();
        }
    }

    /** Lets calls under way end for two seconds, then cuts them; the socket is gone afterwards. Idempotent. */
    @Override
    public void close() {
        health.enterTerminalState();
        try {
            serveRemotely(null);
        } catch (IOException e) {
            throw new AssertionError("nothing is opened", e);
        }
        server.shutdown();
        try {
            if (!server.awaitTermination(GRACE_SECONDS, TimeUnit.SECONDS)) {
                server.shutdownNow();
            }
        } catch (InterruptedException e) {
            server.shutdownNow();
            Thread.currentThread().interrupt();
        }
        calls.shutdown();
        loops.shutdownGracefully(0, 1, TimeUnit.SECONDS).awaitUninterruptibly(2, TimeUnit.SECONDS);
        try {
            Files.deleteIfExists(socket);
        } catch (IOException e) {
            // The next start removes it.
        }
    }
}
