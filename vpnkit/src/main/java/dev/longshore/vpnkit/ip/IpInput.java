package dev.longshore.vpnkit.ip;

import dev.longshore.vpnkit.count.Counters;
import dev.longshore.vpnkit.ethernet.LostHop;
import dev.longshore.vpnkit.ethernet.NeighborDiscovery;
import dev.longshore.vpnkit.ethernet.PacketSink;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.util.concurrent.EventExecutor;
import java.util.function.LongSupplier;

/** The network layer as the link layer sees it: both families in front of one set of transports. Confined to the link's event loop. */
public final class IpInput implements PacketSink {
    private final Ipv4Input v4;
    private final Ipv6Input v6;
    private final LinkScope gateway;
    private final TransportInput tcp;
    private final TransportInput udp;
    private final TransportInput icmp;

    public IpInput(
            IpPlan plan,
            IpOutput output,
            IcmpErrorSender errors,
            EventExecutor loop,
            LongSupplier nanoClock,
            ByteBufAllocator allocator,
            Counters<IpCounter> counters,
            TransportInput tcp,
            TransportInput udp,
            TransportInput icmp,
            NeighborDiscovery discovery,
            LinkScope gateway,
            Icmpv6Input icmp6) {
        this.v4 = new Ipv4Input(plan, output, errors, loop, nanoClock, allocator, counters, tcp, udp, icmp);
        this.v6 = new Ipv6Input(
                plan, output, errors, loop, nanoClock, allocator, counters, discovery, gateway, tcp, udp, icmp6);
        this.gateway = gateway;
        this.tcp = tcp;
        this.udp = udp;
        this.icmp = icmp;
    }

    @Override
    public void onIpv4(ByteBuf b, int at, int len, int offload) {
        v4.onPacket(b, at, len, offload);
    }

    @Override
    public void onIpv6(ByteBuf b, int at, int len, int offload) {
        v6.onPacket(b, at, len, offload);
    }

    @Override
    public void onBatchEnd() {
        tcp.onBatchEnd();
        udp.onBatchEnd();
        icmp.onBatchEnd();
    }

    @Override
    public void onWritable() {
        tcp.onWritable();
        udp.onWritable();
        icmp.onWritable();
        gateway.onWritable();
    }

    @Override
    public void onLinkState(boolean up) {
        if (!up) {
            v4.clear();
            v6.clear();
        }
        gateway.onLinkState(up);
        tcp.onLinkState(up);
        udp.onLinkState(up);
        icmp.onLinkState(up);
    }

    @Override
    public void onNobody(LostHop hop) {
        tcp.onNobody(hop);
        udp.onNobody(hop);
    }

    /** Forgets unfinished packets. Idempotent. */
    public void close() {
        v4.close();
        v6.close();
    }
}
