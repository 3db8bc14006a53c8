package dev.longshore.vpnkit.hostsocket;

import dev.longshore.linux.ErrorQueue;
import dev.longshore.packet.wire.IpAddress;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.channel.socket.SocketChannel;
import io.netty.channel.unix.IntegerUnixChannelOption;
import org.jspecify.annotations.Nullable;

/** TCP sockets whose first packet goes only so far: for guests that look for the way (traceroute). Immutable. */
final class LimitedHops {
    // Linux in.h and in6.h: level, name
    private static final IntegerUnixChannelOption TTL = new IntegerUnixChannelOption("IP_TTL", 0, 2);
    private static final IntegerUnixChannelOption RECVERR = new IntegerUnixChannelOption("IP_RECVERR", 0, 11);
    private static final IntegerUnixChannelOption HOPS = new IntegerUnixChannelOption("IPV6_UNICAST_HOPS", 41, 16);
    private static final IntegerUnixChannelOption RECVERR6 = new IntegerUnixChannelOption("IPV6_RECVERR", 41, 25);
    private static final int HOSTS_DEFAULT = -1;

    private LimitedHops() {}

    /** Before connecting; {@code hops} is 0 for no limit. */
    static void limit(SocketChannel channel, boolean v4, int hops) {
        if (hops > 0 && channel instanceof EpollSocketChannel) {
            set(channel, v4, hops, 1);
        }
    }

    /** The connection stands: it goes on like any other. */
    static void lift(SocketChannel channel, boolean v4, int hops) {
        if (hops > 0 && channel instanceof EpollSocketChannel) {
            set(channel, v4, HOSTS_DEFAULT, 0);
        }
    }

    private static void set(SocketChannel channel, boolean v4, int hops, int errors) {
        channel.config().setOption(v4 ? RECVERR : RECVERR6, errors);
        channel.config().setOption(v4 ? TTL : HOPS, hops);
    }

    /** What a router said about a connection that failed and isn't closed yet. */
    static @Nullable RouterError said(SocketChannel channel, boolean v4, int hops) {
        if (hops == 0 || !(channel instanceof EpollSocketChannel epoll) || !epoll.isOpen()) {
            return null;
        }
        ErrorQueue queue = new ErrorQueue();
        HostError error = new HostError();
        if (!queue.next(epoll.fd().intValue()) || !error.fill(queue, v4) || error.offenderLo() == 0) {
            return null;
        }
        IpAddress offender = new IpAddress(error.offenderHi(), error.offenderLo());
        return new RouterError(error.type(), error.code(), error.info(), offender);
    }
}
