package dev.longshore.portforward;

import dev.longshore.vpnkit.flow.GuestConnector;
import io.netty.bootstrap.Bootstrap;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoop;
import io.netty.channel.epoll.EpollDomainSocketChannel;
import io.netty.channel.epoll.EpollServerDomainSocketChannel;
import io.netty.channel.unix.DomainSocketAddress;
import io.netty.channel.unix.Errors;
import io.netty.util.concurrent.Future;
import io.netty.util.concurrent.Promise;
import java.io.File;
import java.io.IOException;
import java.net.ConnectException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;

/**
 * A Unix socket of the host that leads to a TCP port of the guest. Confined to the link's event loop; a look at, and chmod
 * of, one file of the user's are the only file system calls.
 *
 * <p>Netty unlinks whatever has the name before it binds, and its own socket when it closes. So the name is looked at first: a socket file that nobody listens on, left by a crash, is replaced; one that somebody serves, or any other file, is not.
 */
final class UnixListener implements HostListener {
    /** Linux, stat.h. */
    private static final int S_IFMT = 0170000;

    private static final int S_IFSOCK = 0140000;

    private final EventLoop loop;
    private final Accepted accepted;
    private final Reopener reopener;
    private final HostEndpoint.UnixPath path;

    UnixListener(GuestConnector guest, Forward forward, HostEndpoint.UnixPath path, Traffic traffic) {
        this.loop = guest.loop();
        this.path = path;
        this.accepted = new Accepted(guest, forward, traffic);
        this.reopener = new Reopener(loop, forward.toString(), this::bind);
    }

    @Override
    public Future<HostEndpoint> open() {
        return Resolved.of(loop, reopener.open(), channel -> path);
    }

    private Future<Channel> bind() {
        Promise<Channel> result = loop.newPromise();
        switch (whatIsThere()) {
            case NOTHING -> bindTo(result);
            case SOCKET -> bindIfStale(result);
            case OTHER_FILE -> result.setFailure(inUse());
        }
        return result;
    }

    private enum There {
        NOTHING,
        SOCKET,
        OTHER_FILE
    }

    private There whatIsThere() {
        try {
            Object mode = Files.getAttribute(Path.of(path.path()), "unix:mode", LinkOption.NOFOLLOW_LINKS);
            return ((Integer) mode & S_IFMT) == S_IFSOCK ? There.SOCKET : There.OTHER_FILE;
        } catch (IOException e) {
            return There.NOTHING; // most of all NoSuchFileException; of anything else the bind says what is wrong
        }
    }

    private static Throwable inUse() {
        return Errors.newIOException("bind", -BindFailure.EADDRINUSE);
    }

    private void bindTo(Promise<Channel> result) {
        tryBind().addListener((Future<Channel> f) -> {
            if (f.isSuccess()) {
                onBound(f.getNow(), result);
            } else {
                result.setFailure(f.cause());
            }
        });
    }

    private Future<Channel> tryBind() {
        return Resolved.of(
                loop,
                new ServerBootstrap()
                        .group(loop)
                        .channel(EpollServerDomainSocketChannel.class)
                        .option(ChannelOption.SO_BACKLOG, TcpListener.BACKLOG)
                        .childOption(ChannelOption.AUTO_READ, false)
                        .childOption(ChannelOption.ALLOW_HALF_CLOSURE, true)
                        .childHandler(accepted.initializer())
                        .bind(address()));
    }

    private DomainSocketAddress address() {
        return new DomainSocketAddress(new File(path.path()));
    }

    private void bindIfStale(Promise<Channel> result) {
        new Bootstrap()
                .group(loop)
                .channel(EpollDomainSocketChannel.class)
                .handler(new ChannelInboundHandlerAdapter())
                .connect(address())
                .addListener((ChannelFuture probe) -> {
                    probe.channel().close();
                    if (probe.cause() instanceof ConnectException) {
                        bindTo(result);
                    } else {
                        result.setFailure(inUse());
                    }
                });
    }

    private void onBound(Channel channel, Promise<Channel> result) {
        try {
            Files.setPosixFilePermissions(Path.of(path.path()), PosixFilePermissions.fromString("rw-------"));
            result.setSuccess(channel);
        } catch (IOException e) {
            channel.close();
            result.setFailure(e);
        }
    }

    @Override
    public void close() {
        reopener.close();
        accepted.closeAll();
    }

    @Override
    public String trouble() {
        return reopener.trouble();
    }
}
