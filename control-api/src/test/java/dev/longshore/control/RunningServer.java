package dev.longshore.control;

import io.grpc.ManagedChannel;
import io.grpc.netty.NettyChannelBuilder;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollDomainSocketChannel;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.unix.DomainSocketAddress;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/** For each test a control server of a {@link FakeDaemon} at a Unix socket in a directory of its own, and a client's channel to it. */
final class RunningServer implements BeforeEachCallback, AfterEachCallback {
    private final FakeDaemon daemon;
    private final EventLoopGroup loops = new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
    private @Nullable Path directory;
    private @Nullable ControlServer server;
    private @Nullable ManagedChannel channel;

    RunningServer(FakeDaemon daemon) {
        this.daemon = daemon;
    }

    Path directory() {
        return Objects.requireNonNull(directory);
    }

    ManagedChannel channel() {
        return Objects.requireNonNull(channel);
    }

    @Override
    public void beforeEach(ExtensionContext context) throws Exception {
        Path made = Files.createTempDirectory("control");
        directory = made;
        Path socket = made.resolve("control.sock");
        server = ControlServer.start(
                socket,
                daemon,
                daemon,
                daemon,
                daemon,
                daemon,
                daemon,
                daemon.policy(),
                daemon.dns(),
                daemon.proxies(),
                daemon.files);
        channel = NettyChannelBuilder.forAddress(new DomainSocketAddress(socket.toFile()))
                .channelType(EpollDomainSocketChannel.class)
                .eventLoopGroup(loops)
                .usePlaintext()
                .build();
    }

    @Override
    public void afterEach(ExtensionContext context) throws IOException {
        if (channel != null) {
            channel.shutdownNow();
        }
        if (server != null) {
            server.close();
        }
        loops.shutdownGracefully(0, 0, TimeUnit.SECONDS);
        try (Stream<Path> files = Files.walk(directory())) {
            List<Path> all = files.sorted(Comparator.reverseOrder()).toList();
            for (Path file : all) {
                Files.deleteIfExists(file);
            }
        }
    }
}
