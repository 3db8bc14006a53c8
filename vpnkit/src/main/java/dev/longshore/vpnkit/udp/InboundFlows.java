package dev.longshore.vpnkit.udp;

import dev.longshore.packet.wire.IpAddress;
import dev.longshore.vpnkit.flow.FlowTable;
import dev.longshore.vpnkit.flow.GuestConnector;
import dev.longshore.vpnkit.ip.IpPlan;
import io.netty.buffer.ByteBuf;
import org.jspecify.annotations.Nullable;

/** The remotes of published UDP ports, by the pair of addresses the guest sees. Confined to the link's event loop. */
final class InboundFlows {
    private static final int FIRST_DYNAMIC_PORT = 49_152;
    private static final int DYNAMIC_PORTS = 65_536 - FIRST_DYNAMIC_PORT;

    private final IpPlan plan;
    private final Owner owner;
    private final FlowTable<InboundUdp> flows;
    private int nextDynamicPort;

    /** The layer they belong to. */
    interface Owner {
        /** To the guest. */
        void send(InboundUdp flow, ByteBuf b, int at, int len);

        void onSizeChanged();
    }

    InboundFlows(IpPlan plan, Owner owner, long secret) {
        this.plan = plan;
        this.owner = owner;
        this.flows = new FlowTable<>(secret);
    }

    /** See {@link GuestConnector#openUdp}. */
    InboundUdp open(
            IpAddress guest,
            int guestPort,
            IpAddress source,
            int sourcePort,
            GuestConnector.UdpReplies replies,
            long now) {
        IpAddress remote = source;
        int port = sourcePort;
        if (!mayAppear(source, guest) || port == 0 || find(guest, guestPort, remote, port) != null) {
            remote = guest.isV4() ? plan.gateway() : plan.gateway6();
            port = freeGatewayPort(guest, guestPort, remote);
        }
        InboundUdp flow = new InboundUdp(this, guest, guestPort, remote, port, replies, now);
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

    /** True if the guest would send its answer to {@code source} back to us. */
    private boolean mayAppear(IpAddress source, IpAddress guest) {
        if (source.isV4() != guest.isV4() || source.isLoopback() || plan.isOnLink(source.hi(), source.lo())) {
            return false;
        }
        return guest.isV4() ? mayAppear4(source.v4Bits(), guest.v4Bits()) : mayAppear6(source, guest);
    }

    private static boolean mayAppear4(int source, int guest) {
        boolean besideTheContainer = source >>> 16 == guest >>> 16;
        return source >>> 24 != 0 && source >>> 28 < 0xE && !besideTheContainer;
    }

    private static boolean mayAppear6(IpAddress source, IpAddress guest) {
        boolean besideTheContainer = source.hi() == guest.hi();
        boolean unspecified = source.hi() == 0 && source.lo() == 0;
        return !besideTheContainer && !unspecified && source.hi() >>> 56 != 0xFF;
    }

    private int freeGatewayPort(IpAddress guest, int guestPort, IpAddress gateway) {
        for (int tries = 0; tries < DYNAMIC_PORTS; tries++) {
            int port = FIRST_DYNAMIC_PORT + nextDynamicPort;
            nextDynamicPort = (nextDynamicPort + 1) % DYNAMIC_PORTS;
            if (find(guest, guestPort, gateway, port) == null) {
                return port;
            }
        }
        throw new IllegalStateException("16,384 remotes of one UDP port all look like the gateway");
    }

    void send(InboundUdp flow, ByteBuf b, int at, int len) {
        owner.send(flow, b, at, len);
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
