package dev.longshore.vpnkit.hostsocket;

import dev.longshore.linux.ErrorQueue;
import dev.longshore.packet.wire.IpAddress;
import org.jspecify.annotations.Nullable;

/** TCP sockets whose first packet goes only so far: for guests that look for the way (traceroute). Immutable. */
final class LimitedHops {
    // Linux in.h and in6.h
    private static final int SOL_IP = 0;
    private static final int SOL_IPV6 = 41;
    private static final int IP_TTL = 2;
    private static final int IP_RECVERR = 11;
    private static final int IPV6_UNICAST_HOPS = 16;
    private static final int IPV6_RECVERR = 25;
    private static final int HOSTS_DEFAULT = -1;

    private LimitedHops() {}

    /** Before connecting; {@code hops} is 0 for no limit. */
    static void limit(HostSocket socket, boolean v4, int hops) {
        if (hops > 0) {
            set(socket, v4, hops, 1);
        }
    }

    /** The connection stands: it goes on like any other. */
    static void lift(HostSocket socket, boolean v4, int hops) {
        if (hops > 0) {
            set(socket, v4, HOSTS_DEFAULT, 0);
        }
    }

    private static void set(HostSocket socket, boolean v4, int hops, int errors) {
        socket.setOption(v4 ? SOL_IP : SOL_IPV6, v4 ? IP_RECVERR : IPV6_RECVERR, errors);
        socket.setOption(v4 ? SOL_IP : SOL_IPV6, v4 ? IP_TTL : IPV6_UNICAST_HOPS, hops);
    }

    /** What a router said about a connection that failed and isn't closed yet. */
    static @Nullable RouterError said(HostSocket socket, boolean v4, int hops) {
        if (hops == 0 || !socket.isOpen()) {
            return null;
        }
        ErrorQueue queue = new ErrorQueue();
        HostError error = new HostError();
        if (!queue.next(socket.number()) || !error.fill(queue, v4) || error.offenderLo() == 0) {
            return null;
        }
        IpAddress offender = new IpAddress(error.offenderHi(), error.offenderLo());
        return new RouterError(error.type(), error.code(), error.info(), offender);
    }
}
