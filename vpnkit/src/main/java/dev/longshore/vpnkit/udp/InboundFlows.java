package dev.longshore.vpnkit.udp;

import dev.longshore.packet.wire.IpAddress;
import dev.longshore.vpnkit.flow.FlowOwners;
import dev.longshore.vpnkit.flow.FlowTable;
import dev.longshore.vpnkit.flow.GuestConnector;
import dev.longshore.vpnkit.ip.GuestAddresses;
import io.netty.buffer.ByteBuf;
import org.jspecify.annotations.Nullable;

/** The remotes of published UDP ports, by the pair of addresses the guest sees. Confined to the link's event loop. */
final class InboundFlows {
    private static final int FIRST_DYNAMIC_PORT = 49_152;
    private static final int DYNAMIC_PORTS = 65_536 - FIRST_DYNAMIC_PORT;

    private final GuestAddresses addresses;
    private final Owner owner;
    private final FlowTable<InboundUdp> flows;
    private int nextDynamicPort;

    /** The layer they belong to. */
    interface Owner {
        /** To the guest. */
        void send(InboundUdp flow, ByteBuf b, int at, int len);

        void onSizeChanged();

        FlowOwners owners();

        /** A datagram went nowhere, for want of IPv6. */
        void onNoIpv6();

        /** A datagram of a caller for whom the gateway has no port left. */
        void onNoGatewayPort();

        /** A datagram is larger than any packet of IPv4. */
        void onTooLarge();
    }

    /**
     * To an IPv6 address on a network without it, or from one caller too many.
     *
     * @param dropped counts a datagram
     */
    private record NoWay(Runnable dropped, GuestConnector.UdpReplies replies) implements GuestConnector.UdpFlow {
        @Override
        public void sendToGuest(ByteBuf b, int at, int len) {
            dropped.run();
            replies.onUnreachable();
        }

        @Override
        public void close() {}
    }

    InboundFlows(GuestAddresses addresses, Owner owner, long secret) {
        this.addresses = addresses;
        this.owner = owner;
        this.flows = new FlowTable<>(secret);
    }

    /** See {@link GuestConnector#openUdp}. */
    GuestConnector.UdpFlow open(
            IpAddress guest,
            int guestPort,
            IpAddress source,
            int sourcePort,
            GuestConnector.UdpReplies replies,
            long now) {
        IpAddress first = addresses.first(guest, source);
        IpAddress second = addresses.second(guest, source);
        if (second == null) {
            return openTo(first, guestPort, source, sourcePort, replies, now);
        }
        return new UdpChoice(
                replies,
                to -> openTo(first, guestPort, source, sourcePort, to, now),
                to -> openTo(second, guestPort, source, sourcePort, to, now));
    }

    private GuestConnector.UdpFlow openTo(
            IpAddress guest,
            int guestPort,
            IpAddress source,
            int sourcePort,
            GuestConnector.UdpReplies replies,
            long now) {
        IpAddress remote = source;
        int port = sourcePort;
        if (!addresses.mayAppear(source, guest) || port == 0 || find(guest, guestPort, remote, port) != null) {
            IpAddress gateway = addresses.gatewayFor(guest);
            if (gateway == null) {
                return new NoWay(owner::onNoIpv6, replies);
            }
            remote = gateway;
            port = freeGatewayPort(guest, guestPort, remote);
            if (port == 0) {
                return new NoWay(owner::onNoGatewayPort, replies);
            }
        }
        InboundUdp flow = new InboundUdp(
                this,
                guest,
                guestPort,
                remote,
                port,
                replies,
                now,
                owner.owners().begin(guest));
        flows.put(guest.hi(), guest.lo(), guestPort, remote.hi(), remote.lo(), port, flow);
        owner.onSizeChanged();
        return flow;
    }

    private @Nullable InboundUdp find(IpAddress guest, int guestPort, IpAddress remote, int remotePort) {
        return find(guest.hi(), guest.lo(), guestPort, remote.hi(), remote.lo(), remotePort);
    }

    @Nullable
    InboundUdp find(long guestHi, long guestLo, int guestPort, long remoteHi, long remoteLo, int remotePort) {
        return flows.size() == 0 ? null : flows.get(guestHi, guestLo, guestPort, remoteHi, remoteLo, remotePort);
    }

    /** 0 if all are taken: so many callers of one port of the guest look like the gateway. */
    private int freeGatewayPort(IpAddress guest, int guestPort, IpAddress gateway) {
        for (int tries = 0; tries < DYNAMIC_PORTS; tries++) {
            int port = FIRST_DYNAMIC_PORT + nextDynamicPort;
            nextDynamicPort = (nextDynamicPort + 1) % DYNAMIC_PORTS;
            if (find(guest, guestPort, gateway, port) == null) {
                return port;
            }
        }
        return 0;
    }

    void send(InboundUdp flow, ByteBuf b, int at, int len) {
        owner.send(flow, b, at, len);
    }

    void onTooLarge() {
        owner.onTooLarge();
    }

    void forget(InboundUdp f) {
        if (find(f.guest, f.guestPort, f.remote, f.remotePort) == f) {
            flows.remove(f.guest.hi(), f.guest.lo(), f.guestPort, f.remote.hi(), f.remote.lo(), f.remotePort);
            owner.onSizeChanged();
        }
    }

    int size() {
        return flows.size();
    }

    FlowTable<InboundUdp> table() {
        return flows;
    }
}
