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
import io.netty.util.concurrent.Future;
import io.netty.util.concurrent.Promise;
import java.io.File;
import java.io.IOException;
import java.net.ConnectException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;

/**
 * A Unix socket of the host that leads to a TCP port of the guest. Confined to the link's event loop; unlinking and chmod
 * of one file are the only file system calls, on the user's own directory.
 *
 * <p>A socket file that nobody listens on, left by a crash, is replaced; one that somebody serves, or any other file, is not.
 */
final class UnixListener implements HostListener {
    private final EventLoop loop;
    private final Accepted accepted;
    private final Reopener reopener;
    private final HostEndpoint.UnixPath path;
    private boolean bound;

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
        tryBind().addListener((Future<Channel> f) -> {
            if (f.isSuccess()) {
                onBound(f.getNow(), result);
            } else if (BindFailure.of(f.cause()).reason() == ExposeResult.Reason.IN_USE) {
                bindIfStale(result, f.cause());
            } else {
                result.setFailure(f.cause());
            }
        });
        return result;
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

    private void bindIfStale(Promise<Channel> result, Throwable inUse) {
        new Bootstrap()
                .group(loop)
                .channel(EpollDomainSocketChannel.class)
                .handler(new ChannelInboundHandlerAdapter())
                .connect(address())
                .addListener((ChannelFuture probe) -> {
                    probe.channel().close();
                    if (probe.cause() instanceof ConnectException && unlink()) {
                        tryBind().addListener((Future<Channel> f) -> {
                            if (f.isSuccess()) {
                                onBound(f.getNow(), result);
                            } else {
                                result.setFailure(f.cause());
                            }
                        });
                    } else {
                        result.setFailure(inUse);
                    }
                });
    }

    private void onBound(Channel channel, Promise<Channel> result) {
        try {
            Files.setPosixFilePermissions(Path.of(path.path()), PosixFilePermissions.fromString("rw-------"));
            bound = true;
            result.setSuccess(channel);
        } catch (IOException e) {
            channel.close();
            unlink();
            result.setFailure(e);
        }
    }

    /** Only sockets: a bind on any other file fails with EADDRINUSE too, and a connection to it is refused as well. */
    private boolean unlink() {
        try {
            Path file = Path.of(path.path());
            Object mode = Files.getAttribute(file, "unix:mode", java.nio.file.LinkOption.NOFOLLOW_LINKS);
            return ((Integer) mode & 0170000) == 0140000 && Files.deleteIfExists(file);
        } catch (IOException e) {
            return false;
        }
    }

    @Override
    public void close() {
        reopener.close();
        accepted.closeAll();
        if (bound) {
            bound = false;
            unlink();
        }
    }

    @Override
    public String trouble() {
        return reopener.trouble();
    }
}
