package dev.longshore.portforward;

import dev.longshore.vpnkit.flow.GuestConnector;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoop;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.util.concurrent.Future;
import java.net.InetSocketAddress;

/**
 * A TCP port of the host. Confined to the link's event loop.
 *
 * <p>When the process is out of descriptors, Netty's acceptor stops accepting for a second and tries again; the callers
 * wait in the backlog meanwhile.
 */
final class TcpListener implements HostListener {
    /** The kernel takes the smaller of this and net.core.somaxconn, 4096 by default. */
    static final int BACKLOG = 4096;

    private final EventLoop loop;
    private final Accepted accepted;
    private final Reopener reopener;
    private HostEndpoint.Port port;

    TcpListener(GuestConnector guest, Forward forward, HostEndpoint.Port port, Traffic traffic) {
        this.loop = guest.loop();
        this.port = port;
        this.accepted = new Accepted(guest, forward, traffic);
        this.reopener = new Reopener(loop, forward.toString(), this::bind);
    }

    @Override
    public Future<HostEndpoint> open() {
        return Resolved.of(loop, reopener.open(), channel -> {
            port = port.withPort(((InetSocketAddress) channel.localAddress()).getPort());
            return port;
        });
    }

    private Future<Channel> bind() {
        ServerBootstrap b = new ServerBootstrap()
                .group(loop)
                .channelFactory(() -> new EpollServerSocketChannel(HostListeners.family(port)))
                .option(ChannelOption.SO_REUSEADDR, true)
                .option(ChannelOption.SO_BACKLOG, BACKLOG)
                .childOption(ChannelOption.AUTO_READ, false)
                .childOption(ChannelOption.ALLOW_HALF_CLOSURE, true)
                .childOption(ChannelOption.TCP_NODELAY, true)
                .childOption(ChannelOption.SO_KEEPALIVE, true)
                .childHandler(accepted.initializer());
        if (!port.address().isV4()) {
            b.option(HostListeners.IPV6_V6ONLY, 1);
        }
        return Resolved.of(loop, b.bind(port.toSocketAddress()));
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
