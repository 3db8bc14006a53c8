package dev.longshore.vpnkit.gateway;

import dev.longshore.vpnkit.count.Counters;
import dev.longshore.vpnkit.ethernet.EthernetLayer;
import dev.longshore.vpnkit.ip.Families;
import dev.longshore.vpnkit.ip.IpPlan;
import dev.longshore.vpnkit.ip.Ipv6Output;
import dev.longshore.vpnkit.ip.LinkScope;
import io.netty.buffer.ByteBuf;
import io.netty.util.concurrent.EventExecutor;
import java.util.List;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;

/** Router discovery and DHCPv6 of one link; on a network without IPv6 it says nothing. Confined to the link's event loop. */
public final class Ipv6Gateway implements LinkScope {
    private final EthernetLayer ethernet;
    private final boolean hasIpv6;
    private final RouterAdvertiser router;
    private final Dhcpv6Server dhcp;

    /**
     * @param hostHasIpv6 whether the host has a way to the IPv6 Internet now; asked on the loop, so it does not block
     * @param searchDomains for the guest's resolver; a few, see {@link Resolvers}
     */
    public Ipv6Gateway(
            IpPlan plan,
            Families families,
            long ourMac,
            long guestMac,
            int mtu,
            BooleanSupplier hostHasIpv6,
            Supplier<List<String>> searchDomains,
            EthernetLayer ethernet,
            Ipv6Output output,
            EventExecutor loop,
            Counters<GatewayCounter> counters) {
        this.ethernet = ethernet;
        this.hasIpv6 = plan.hasIpv6();
        this.router = new RouterAdvertiser(
                plan, families, ourMac, mtu, hostHasIpv6, searchDomains, output, ethernet::flush, loop, counters);
        this.dhcp = new Dhcpv6Server(plan, families, ourMac, guestMac, searchDomains, output, counters);
    }

    @Override
    public void onRouterSolicitation(long guestHi, long guestLo) {
        router.onSolicitation(guestHi, guestLo);
    }

    @Override
    public void onDhcp(ByteBuf b, int at, int len, long guestHi, long guestLo) {
        long mac = ethernet.discovery().macOf(guestHi, guestLo);
        dhcp.onMessage(b, at, len, guestHi, guestLo, mac);
    }

    @Override
    public void onWritable() {
        router.onWritable();
    }

    @Override
    public void onLinkState(boolean up) {
        if (hasIpv6) {
            router.onLinkState(up);
        }
    }

    /** The guest is told at once. */
    public void onFamiliesChanged() {
        if (hasIpv6) {
            router.onFamiliesChanged();
        }
    }

    /** Whether the guest was told that we are its way to the IPv6 Internet. */
    public boolean isDefaultRouter() {
        return hasIpv6 && router.isDefaultRouter();
    }

    /** Releases what it holds. */
    public void close() {
        router.close();
        dhcp.close();
    }
}
