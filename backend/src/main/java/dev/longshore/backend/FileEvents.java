package dev.longshore.backend;

import dev.longshore.config.VsockPorts;
import dev.longshore.control.FilesControl;
import dev.longshore.engine.policy.BindSource;
import dev.longshore.engine.policy.BindSources;
import dev.longshore.fileshare.fuse.FuseServer;
import dev.longshore.fileshare.watch.EventSink;
import dev.longshore.fileshare.watch.HostWatch;
import dev.longshore.fileshare.watch.WatchFigures;
import dev.longshore.virtio.vsock.VsockHost;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.EventLoop;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import io.netty.channel.socket.DuplexChannel;
import io.netty.util.concurrent.Future;
import java.io.IOException;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Tells containers that watch mounted folders what somebody on the host does there. Thread-safe: the public methods hand themselves to
 * the vsock device's loop, to which the rest is confined; the folders are watched by {@link HostWatch}'s own thread.
 *
 * <p>While it is switched on, and a running container has mounted something, there is a watch, and one session with the guest's agent
 * ({@code guest/events.c}). What a container is about to mount is watched from then on, so that it is when the container begins.
 */
final class FileEvents implements EventSink, AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(FileEvents.class);
    private static final int MAX_LINE_CHARS = 512;
    private static final long AGAIN_MILLIS = 1000;

    /** What was asked for by then is known from the container, or was never started. */
    private static final long EXPECTED_SECONDS = 60;

    private final EventLoop loop;
    private final VsockHost vsock;
    private final Supplier<List<Path>> shared;
    private final List<Path> withheld;
    private @Nullable FuseServer server;
    private boolean enabled;
    private boolean failed;
    private Set<Path> mounted = Set.of();
    private final Map<Path, Integer> expected = new HashMap<>();
    private volatile @Nullable HostWatch watch; // written by the loop, read by observers and the session
    private volatile boolean shownEnabled; // the same
    private WatchFigures before = WatchFigures.NONE; // of watches that have ended
    private volatile @Nullable DuplexChannel session; // written by the loop, read by the watch's thread
    private boolean connecting;

    /** @param shared the folders that are shared now, asked on the loop: nothing else is watched, whatever the guest says it has mounted */
    FileEvents(VsockHost vsock, Supplier<List<Path>> shared, List<Path> withheld) {
        this.loop = vsock.loop();
        this.vsock = vsock;
        this.shared = shared;
        this.withheld = List.copyOf(withheld);
    }

    // ---- for all threads

    /** The guest's files come from there; null when that ends. */
    void serve(@Nullable FuseServer open) {
        onLoop(() -> {
            server = open;
            update();
        });
    }

    /** As the settings say. */
    void enable(boolean on) {
        onLoop(() -> {
            enabled = on;
            shownEnabled = on;
            failed = false;
            update();
        });
    }

    /** What running containers have mounted: paths in the guest. */
    void mounted(Set<String> sources) {
        onLoop(() -> {
            Set<Path> paths = new HashSet<>();
            for (String source : sources) {
                hostPath(source).ifPresent(paths::add);
            }
            mounted = paths;
            update();
        });
    }

    /** Other folders are shared now. */
    void sharesChanged() {
        onLoop(this::update);
    }

    /** What the guest calls so; empty if that is no path of the host. */
    private static Optional<Path> hostPath(String inGuest) {
        try {
            return inGuest.startsWith(HostFolders.MOUNT_POINT + "/")
                    ? Optional.of(Path.of(inGuest.substring(HostFolders.MOUNT_POINT.length())))
                    : Optional.empty();
        } catch (InvalidPathException e) {
            return Optional.empty();
        }
    }

    /** Those that are a shared folder or below one, by their names alone: a guest may claim to have mounted anything. */
    static Set<Path> within(Collection<Path> folders, Set<Path> paths) {
        return paths.stream()
                .filter(p -> p.equals(p.normalize()) && folders.stream().anyMatch(p::startsWith))
                .collect(Collectors.toSet());
    }

    /** The same sources; what they find is watched. */
    BindSources watching(BindSources sources) {
        return (path, ifMissing) -> sources.find(path, ifMissing).thenApply(found -> {
            if (found instanceof BindSource.InGuest(String at)) {
                hostPath(at).ifPresent(this::expect);
            }
            return found;
        });
    }

    private void expect(Path path) {
        onLoop(() -> {
            expected.merge(path, 1, Integer::sum);
            update();
            loop.schedule(
                    () -> {
                        expected.computeIfPresent(path, (_, n) -> n > 1 ? n - 1 : null);
                        update();
                    },
                    EXPECTED_SECONDS,
                    TimeUnit.SECONDS);
        });
    }

    /** What was done since the guest's start. */
    FilesControl.Events figures() {
        HostWatch open = watch;
        WatchFigures f = sum(before, open == null ? WatchFigures.NONE : open.figures());
        return new FilesControl.Events(
                shownEnabled,
                f.directories(),
                f.unwatched(),
                f.told(),
                f.unheard(),
                f.own(),
                f.dropped(),
                f.lost(),
                f.waiting());
    }

    private static WatchFigures sum(WatchFigures a, WatchFigures b) {
        return new WatchFigures(
                b.directories(),
                b.unwatched(),
                a.told() + b.told(),
                a.unheard() + b.unheard(),
                a.own() + b.own(),
                a.dropped() + b.dropped(),
                a.lost() + b.lost(),
                b.waiting());
    }

    /** Ends the watch and the session. */
    @Override
    public void close() {
        serve(null);
    }

    /** Nothing is left to do once the loop has ended. */
    private void onLoop(Runnable task) {
        try {
            loop.execute(task);
        } catch (RejectedExecutionException e) {
            LOG.debug("the vsock device's loop has ended");
        }
    }

    // ---- the watch

    private void update() {
        Set<Path> claimed = new HashSet<>(mounted);
        claimed.addAll(expected.keySet());
        Set<Path> folders = within(shared.get(), claimed);
        FuseServer from = server;
        if (from == null || !enabled || failed || folders.isEmpty()) {
            end();
            return;
        }
        HostWatch open = watch;
        if (open == null) {
            open = begin(from);
        }
        if (open != null) {
            open.watch(folders);
            connect();
        }
    }

    private @Nullable HostWatch begin(FuseServer from) {
        try {
            HostWatch made = new HostWatch(from, withheld, this);
            watch = made;
            return made;
        } catch (IOException e) {
            failed = true;
            LOG.warn("containers don't hear of changes of the host's files: {}", e.getMessage());
            return null;
        }
    }

    private void end() {
        HostWatch open = watch;
        watch = null;
        if (open != null) {
            open.close();
            before = sum(before, open.figures());
        }
        DuplexChannel channel = session;
        if (channel != null) {
            channel.close();
        }
    }

    // ---- the session

    private void connect() {
        if (connecting || session != null) {
            return;
        }
        connecting = true;
        vsock.connect(VsockPorts.GUEST_CONTROL).addListener((Future<DuplexChannel> f) -> {
            connecting = false;
            if (f.isSuccess()) {
                begin(f.getNow());
            } else {
                again();
            }
        });
    }

    /** The guest may still be booting. */
    private void again() {
        if (watch != null) {
            loop.schedule(
                    () -> {
                        if (watch != null) {
                            connect();
                        }
                    },
                    AGAIN_MILLIS,
                    TimeUnit.MILLISECONDS);
        }
    }

    private void begin(DuplexChannel channel) {
        session = channel;
        channel.pipeline().addLast(new Answers());
        channel.closeFuture().addListener(closed -> ended(channel));
        say(channel, "fileevents");
        channel.config().setAutoRead(true);
        if (watch == null) {
            channel.close();
        }
    }

    private static void say(DuplexChannel channel, String line) {
        channel.writeAndFlush(ByteBufUtil.writeAscii(channel.alloc(), line + "\n"));
    }

    private void ended(DuplexChannel channel) {
        if (!channel.equals(session)) {
            return;
        }
        session = null;
        HostWatch open = watch;
        if (open != null) {
            open.session(false);
            again();
        }
    }

    @Override
    public void send(String line) {
        DuplexChannel channel = session;
        if (channel != null) {
            say(channel, line);
        }
    }

    /** The agent's lines. Confined to the loop. */
    private final class Answers extends SimpleChannelInboundHandler<ByteBuf> {
        private final StringBuilder line = new StringBuilder();

        @Override
        protected void channelRead0(ChannelHandlerContext ctx, ByteBuf bytes) {
            while (bytes.isReadable() && ctx.channel().isActive()) {
                char c = (char) (bytes.readByte() & 0x7F);
                if (c != '\n') {
                    line.append(c);
                } else {
                    onLine(ctx, line.toString());
                    line.setLength(0);
                }
                if (line.length() > MAX_LINE_CHARS) {
                    ctx.close();
                }
            }
        }

        private void onLine(ChannelHandlerContext ctx, String said) {
            HostWatch open = watch;
            if (open == null) {
                ctx.close();
            } else if (said.equals("ok")) {
                open.session(true);
            } else if (said.equals("+")) {
                open.answered(true);
            } else if (said.startsWith("- ")) {
                LOG.debug("a change of a file was not heard: {}", said);
                open.answered(false);
            } else {
                LOG.warn("file events: the guest's agent says: {}", said);
                ctx.close();
            }
        }

        @Override
        public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
            if (event instanceof ChannelInputShutdownEvent) {
                ctx.close();
            }
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
            LOG.debug("file events: {}", cause.toString());
            ctx.close();
        }
    }
}
