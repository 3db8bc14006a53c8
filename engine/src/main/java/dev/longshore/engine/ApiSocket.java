package dev.longshore.engine;

import dev.longshore.engine.policy.ApiGate;
import io.netty.bootstrap.Bootstrap;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoop;
import io.netty.channel.epoll.EpollDomainSocketChannel;
import io.netty.channel.epoll.EpollServerDomainSocketChannel;
import io.netty.channel.socket.DuplexChannel;
import io.netty.channel.unix.DomainSocketAddress;
import io.netty.util.concurrent.Future;
import io.netty.util.concurrent.Promise;
import java.io.IOException;
import java.net.BindException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The API's socket on the host: each connection gets a stream of its own into the guest, and an {@link ApiConnection} between
 * them; while the Engine is starting it waits, else it is told why not. Confined to the dialer's event loop, on which all connections live,
 * except {@link #open}.
 *
 * <p>Auto-read is off until it is decided where a connection goes, and {@link Early} keeps what comes all the same, so no
 * byte is lost.
 */
final class ApiSocket {
    private static final Logger LOG = LoggerFactory.getLogger(ApiSocket.class);

    private final EngineDialer dialer;
    private final EventLoop loop;
    private final Path path;
    private final EngineLimits limits;
    private final ApiGate gate;
    private final Set<DuplexChannel> waiting = new LinkedHashSet<>();
    private final Set<DuplexChannel> connections = new LinkedHashSet<>();
    private final Map<DuplexChannel, ApiConnection> joined = new HashMap<>();
    private final ApiConnection.Listener listener = new ApiConnection.Listener() {
        @Override
        public void onRequest() {
            requests++;
        }

        @Override
        public void onNoAnswer() {
            onNoAnswer.run();
        }
    };
    private long requests;
    private EngineState state = new EngineState.Starting();
    private @Nullable Channel server;
    private boolean closed;
    private Runnable onNoAnswer = () -> {};

    private ApiSocket(EngineDialer dialer, Path path, EngineLimits limits, ApiGate gate) {
        this.dialer = dialer;
        this.loop = dialer.loop();
        this.path = path;
        this.limits = limits;
        this.gate = gate;
    }

    /** {@code action} is run when a caller got no answer from an Engine that counts as ready. */
    void onNoAnswer(Runnable action) {
        onNoAnswer = action;
    }

    /**
     * Listens at {@code path}, mode 0600, in place of a socket that nobody serves any more.
     *
     * @return fails with BindException if a live process serves it, or if something else is in the way
     */
    static Future<ApiSocket> open(EngineDialer dialer, Path path, EngineLimits limits, ApiGate gate) {
        ApiSocket socket = new ApiSocket(dialer, path, limits, gate);
        Promise<ApiSocket> promise = dialer.loop().newPromise();
        if (!Files.exists(path, LinkOption.NOFOLLOW_LINKS)) {
            socket.bind(promise);
        } else if (Files.isRegularFile(path, LinkOption.NOFOLLOW_LINKS)
                || Files.isDirectory(path, LinkOption.NOFOLLOW_LINKS)
                || Files.isSymbolicLink(path)) {
            promise.setFailure(new BindException(path + " exists and is not a socket"));
        } else {
            socket.replaceStale(promise);
        }
        return promise;
    }

    private void replaceStale(Promise<ApiSocket> promise) {
        new Bootstrap()
                .group(loop)
                .channel(EpollDomainSocketChannel.class)
                .handler(new ChannelInboundHandlerAdapter())
                .connect(new DomainSocketAddress(path.toFile()))
                .addListener((ChannelFuture connected) -> {
                    connected.channel().close();
                    if (connected.isSuccess()) {
                        promise.setFailure(new BindException("another process serves " + path));
                        return;
                    }
                    try {
                        Files.deleteIfExists(path);
                        bind(promise);
                    } catch (IOException e) {
                        promise.setFailure(e);
                    }
                });
    }

    private void bind(Promise<ApiSocket> promise) {
        new ServerBootstrap()
                .group(loop)
                .channel(EpollServerDomainSocketChannel.class)
                .option(ChannelOption.SO_BACKLOG, 1024)
                .childOption(ChannelOption.AUTO_READ, false)
                .childOption(ChannelOption.ALLOW_HALF_CLOSURE, true)
                .childHandler(new ChannelInitializer<>() {
                    @Override
                    protected void initChannel(Channel accepted) {
                        onAccepted((DuplexChannel) accepted);
                    }
                })
                .bind(new DomainSocketAddress(path.toFile()))
                .addListener((ChannelFuture bound) -> {
                    if (!bound.isSuccess()) {
                        promise.setFailure(bound.cause());
                        return;
                    }
                    try {
                        Files.setPosixFilePermissions(path, PosixFilePermissions.fromString("rw-------"));
                        server = bound.channel();
                        promise.setSuccess(this);
                    } catch (IOException e) {
                        bound.channel().close();
                        promise.setFailure(e);
                    }
                });
    }

    /** From the initializer: the channel becomes active after this, so all that follows is left to a task. */
    private void onAccepted(DuplexChannel accepted) {
        boolean tooMany = connections.size() >= limits.connections();
        connections.add(accepted);
        accepted.pipeline().addLast(new Early());
        accepted.closeFuture().addListener(gone -> {
            connections.remove(accepted);
            waiting.remove(accepted);
            joined.remove(accepted);
        });
        loop.execute(() -> {
            if (tooMany) {
                Unavailable.answer(
                        accepted,
                        "too many connections to the Docker API, " + limits.connections()
                                + " are open; close some and try again");
            } else {
                route(accepted);
            }
        });
    }

    private void route(DuplexChannel accepted) {
        switch (state) {
            case EngineState.Ready ready -> connect(accepted);
            case EngineState.Starting starting -> hold(accepted);
            case EngineState.Down down -> Unavailable.answer(accepted, down.reason());
        }
    }

    private void hold(DuplexChannel accepted) {
        waiting.add(accepted);
        Future<?> timer = loop.schedule(
                () -> {
                    if (waiting.remove(accepted)) {
                        Unavailable.answer(
                                accepted,
                                "the Docker Engine has not started yet; longshore status says how far it is,"
                                        + " longshore logs --console shows what the guest says");
                    }
                },
                limits.hold().toNanos(),
                TimeUnit.NANOSECONDS);
        accepted.closeFuture().addListener(gone -> timer.cancel(false));
    }

    private void connect(DuplexChannel accepted) {
        Future<DuplexChannel> connecting = dialer.connect();
        accepted.closeFuture().addListener(gone -> connecting.cancel(false));
        connecting.addListener((Future<DuplexChannel> connected) -> {
            if (connected.isSuccess()) {
                join(accepted, connected.getNow());
            } else if (accepted.isOpen()) {
                onNoAnswer.run();
                Unavailable.answer(
                        accepted,
                        "the Docker Engine can't be reached: " + text(connected.cause())
                                + "; longshore status says how the guest is");
            }
        });
    }

    private void join(DuplexChannel accepted, DuplexChannel guest) {
        if (closed || !accepted.isOpen()) {
            guest.close();
            accepted.close();
            return;
        }
        joined.put(accepted, ApiConnection.start(accepted, guest, gate, listener));
    }

    private static String text(@Nullable Throwable cause) {
        String message = cause == null ? null : cause.getMessage();
        return message == null ? String.valueOf(cause) : message;
    }

    /** From now on connections are treated by {@code next}; those that wait hear of it at once. */
    void become(EngineState next) {
        assert loop.inEventLoop();
        state = next;
        if (next instanceof EngineState.Starting) {
            return;
        }
        for (DuplexChannel held : new ArrayList<>(waiting)) {
            waiting.remove(held);
            route(held);
        }
    }

    int connections() {
        assert loop.inEventLoop();
        return connections.size();
    }

    /** Requests so far. */
    long requests() {
        assert loop.inEventLoop();
        return requests;
    }

    /** True if somebody waits for an answer of the Engine's, or talks to a container. */
    boolean isBusy() {
        assert loop.inEventLoop();
        return connections.size() > joined.size() + waiting.size() // one is on its way
                || joined.values().stream().anyMatch(ApiConnection::isBusy);
    }

    /** Ends what leads to the Engine. Those who use the connections again make new ones, which are treated as the state is. */
    void hangUp() {
        assert loop.inEventLoop();
        List.copyOf(joined.keySet()).forEach(Channel::close);
    }

    /** Stops listening, removes the socket and closes all connections. Idempotent. */
    void close() {
        assert loop.inEventLoop();
        Channel listening = server;
        if (closed || listening == null) {
            return;
        }
        closed = true;
        listening.close();
        new ArrayList<>(connections).forEach(Channel::close);
        try {
            Files.deleteIfExists(path);
        } catch (IOException e) {
            LOG.warn("could not remove {}: {}", path, e.toString());
        }
    }
}
