package dev.longshore.bench;

import dev.longshore.packet.wire.IpAddress;
import dev.longshore.proxy.HttpProxy;
import dev.longshore.proxy.Intercepted;
import dev.longshore.proxy.ProxySettings;
import dev.longshore.vpnkit.hostsocket.Destination;
import dev.longshore.vpnkit.hostsocket.DialResult;
import dev.longshore.vpnkit.hostsocket.Dialer;
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
 * A process between a client and an origin: {@code ProxyHop proxy|any|relay|intercept PORT ORIGIN-PORT}, both on loopback, one event loop, as
 * a guest's link has. {@code proxy} is the daemon's HTTP proxy; {@code any} the same, where every host is the origin; {@code relay} joins each connection to one of its own to the origin,
 * byte for byte; {@code intercept} is the HTTP proxy for connections that did not ask for one, whatever their Host. Ends when killed.
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
        ProxySettings settings = ProxySettings.of("longshore", own);
        ChannelHandler handler =
                switch (arguments[0]) {
                    case "proxy" -> new HttpProxy(settings, dialer, 1024);
                    case "any" -> new HttpProxy(settings, onlyTo(dialer, origin), 1024);
                    case "intercept" -> intercept(settings, dialer, origin);
                    default -> relay(dialer, origin);
                };
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

    private static Dialer onlyTo(DirectDialer dialer, int origin) {
        return (_, loop) -> dialer.dial(Destination.named(ProxyBench.ORIGIN, origin), loop);
    }

    private static ChannelHandler intercept(ProxySettings settings, DirectDialer dialer, int origin) {
        HttpProxy http = new HttpProxy(settings, onlyTo(dialer, origin), 1024);
        Intercepted to = new Intercepted(IpAddress.parse("192.0.2.1"), 80, null, List.of());
        return new ChannelInitializer<>() {
            @Override
            protected void initChannel(Channel client) {
                client.pipeline().addLast(http.intercepting(to, (DuplexChannel) client));
            }
        };
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
