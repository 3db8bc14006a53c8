package dev.longshore.portforward;

import dev.longshore.vpnkit.count.Counters;
import dev.longshore.vpnkit.flow.GuestConnector;
import dev.longshore.vpnkit.hostsocket.HostDatagrams;
import io.netty.channel.socket.SocketProtocolFamily;
import io.netty.channel.unix.IntegerUnixChannelOption;

/** The real listeners: epoll sockets on the link's event loop. Confined to that loop. */
final class HostListeners implements ListenerFactory {
    /**
     * Linux IPPROTO_IPV6, IPV6_V6ONLY: {@code 0.0.0.0:80} and {@code [::]:80} are two sockets, as Docker asks for them one
     * by one. Without it the second would be refused.
     */
    static final IntegerUnixChannelOption IPV6_V6ONLY = new IntegerUnixChannelOption("IPV6_V6ONLY", 41, 26);

    private final GuestConnector guest;
    private final UdpLimits udpLimits;
    private final HostDatagrams datagrams;
    private final Counters<PortCounter> counters;

    HostListeners(GuestConnector guest, UdpLimits udpLimits, Counters<PortCounter> counters) {
        this.guest = guest;
        this.udpLimits = udpLimits;
        this.counters = counters;
        this.datagrams = new HostDatagrams(guest.loop());
    }

    @Override
    public HostListener create(Forward forward, Traffic traffic) {
        return switch (forward.host()) {
            case HostEndpoint.UnixPath path -> new UnixListener(guest, forward, path, traffic);
            case HostEndpoint.Port port ->
                port.protocol() == Protocol.UDP
                        ? new UdpListener(guest, datagrams, forward, port, traffic, udpLimits, counters)
                        : new TcpListener(guest, forward, port, traffic);
        };
    }

    static SocketProtocolFamily family(HostEndpoint.Port port) {
        return port.address().isV4() ? SocketProtocolFamily.INET : SocketProtocolFamily.INET6;
    }
}
