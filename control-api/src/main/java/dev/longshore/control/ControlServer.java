package dev.longshore.control;

import io.grpc.Server;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.netty.NettyServerBuilder;
import io.grpc.protobuf.services.HealthStatusManager;
import io.grpc.protobuf.services.ProtoReflectionServiceV1;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollServerDomainSocketChannel;
import io.netty.channel.unix.DomainSocketAddress;
import io.netty.util.concurrent.DefaultThreadFactory;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;

/**
 * The control socket. Only the user that runs the daemon can connect: the socket has mode 0600 in a directory of mode
 * 0700. Thread-safe.
 */
public final class ControlServer implements AutoCloseable {
    private static final long GRACE_SECONDS = 2;

    private final Path socket;
    private final Server server;
    private final HealthStatusManager health;
    private final EventLoopGroup loops;
    private final ExecutorService calls;

    private ControlServer(
            Path socket, Server server, HealthStatusManager health, EventLoopGroup loops, ExecutorService calls) {
        this.socket = socket;
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
            SettingsControl settings)
            throws IOException {
        Files.deleteIfExists(socket);
        HealthStatusManager health = new HealthStatusManager();
        EventLoopGroup loops = new MultiThreadIoEventLoopGroup(
                1, new DefaultThreadFactory("control-loop", true), EpollIoHandler.newFactory());
        ExecutorService calls = Executors.newSingleThreadExecutor(new DefaultThreadFactory("control", true));
        Server server = NettyServerBuilder.forAddress(new DomainSocketAddress(socket.toFile()))
                .channelType(EpollServerDomainSocketChannel.class)
                .bossEventLoopGroup(loops)
                .workerEventLoopGroup(loops)
                .executor(calls)
                .addService(new DaemonEndpoint(daemon))
                .addService(new VersionEndpoint())
                .addService(new PortEndpoint(ports))
                .addService(new EventEndpoint(events))
                .addService(new FlowEndpoint(flows, calls, loops))
                .addService(new CaptureEndpoint(captures, calls))
                .addService(new SettingsEndpoint(settings, calls))
                .addService(health.getHealthService())
                .addService(ProtoReflectionServiceV1.newInstance())
                .build();
        ControlServer control = new ControlServer(socket, server, health, loops, calls);
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

    /** Lets calls under way end for two seconds, then cuts them; the socket is gone afterwards. Idempotent. */
    @Override
    public void close() {
        health.enterTerminalState();
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
