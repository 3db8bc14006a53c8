package dev.longshore.bench;

import dev.longshore.packet.wire.IpAddress;
import dev.longshore.proxy.HttpProxy;
import dev.longshore.proxy.ProxySettings;
import dev.longshore.vpnkit.hostsocket.Destination;
import dev.longshore.vpnkit.hostsocket.DialResult;
import dev.longshore.vpnkit.hostsocket.DirectDialer;
import dev.longshore.vpnkit.hostsocket.HalfCloseEpoll;
import dev.longshore.vpnkit.hostsocket.OwnAddresses;
import dev.longshore.vpnkit.hostsocket.Relay;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.socket.DuplexChannel;
import io.netty.util.concurrent.Future;
import java.net.InetAddress;
import java.util.List;
import java.util.Set;

/**
 * A process between a client and an origin: {@code ProxyHop proxy|relay PORT ORIGIN-PORT}, both on loopback, one event loop, as
 * a guest's link has. {@code proxy} is the daemon's HTTP proxy; {@code relay} joins each connection to one of its own to the origin,
 * byte for byte. Ends when killed.
 */
public final class ProxyHop {
    private ProxyHop() {}

    public static void main(String[] arguments) throws Exception {
        int origin = Integer.parseInt(arguments[2]);
        EventLoopGroup group = new MultiThreadIoEventLoopGroup(1, HalfCloseEpoll.newFactory());
        OwnAddresses own = new OwnAddresses(
                Set.of(IpAddress.parse("192.168.65.254")),
                Set.of(ProxyBench.ORIGIN),
                List.of(new OwnAddresses.Subnet(IpAddress.parse("192.168.65.0"), 24)));
        DirectDialer dialer = new DirectDialer(own);
        ChannelHandler handler = arguments[0].equals("proxy")
                ? new HttpProxy(ProxySettings.of("longshore", own), dialer, 1024)
                : relay(dialer, origin);
        new ServerBootstrap()
                .group(group)
                .channel(EpollServerSocketChannel.class)
                .option(ChannelOption.SO_BACKLOG, 4096)
                .childOption(ChannelOption.AUTO_READ, false)
                .childOption(ChannelOption.TCP_NODELAY, true)
                .childOption(ChannelOption.ALLOW_HALF_CLOSURE, true)
                .childHandler(handler)
                .bind(InetAddress.getLoopbackAddress(), Integer.parseInt(arguments[1]))
                .sync();
    }

    private static ChannelHandler relay(DirectDialer dialer, int origin) {
        return new ChannelInitializer<>() {
            @Override
            protected void initChannel(Channel client) {
                Future<DialResult> dial = dialer.dial(Destination.named(ProxyBench.ORIGIN, origin), client.eventLoop());
                dial.addListener(_ -> {
                    if (dial.isSuccess() && dial.getNow() instanceof DialResult.Connected c) {
                        Relay.join((DuplexChannel) client, c.channel());
                    } else {
                        client.close();
                    }
                });
            }
        };
    }
}
