package dev.longshore.vpnkit;

import dev.longshore.vpnkit.hostsocket.HostReach;
import dev.longshore.vpnkit.ip.IpPlan;
import dev.longshore.vpnkit.ip.Ipv6Output;
import dev.longshore.vpnkit.udp.UdpLimits;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.util.List;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/**
 * What a network is made from. Immutable.
 *
 * @param plan which address is whose
 * @param mtu largest IP packet on the link, 576..65520; below 1280 there is no IPv6 (RFC 8200 §5)
 * @param ourMac the MAC address of our own addresses
 * @param guestMac what the guest's card was told
 * @param resolvers asked instead of the host's, if not empty
 * @param resolvConf where the host's resolvers are written
 * @param hostsFile where the host's own names are written; null: guests do not know them
 * @param udp limits of UDP flows
 * @param hostHasIpv4 whether the host has a way to the IPv4 Internet now; asked on the loop
 * @param hostHasIpv6 whether the host has a way to the IPv6 Internet now, and the guest is to have one; asked on the loop
 */
public record NetworkConfig(
        IpPlan plan,
        int mtu,
        long ourMac,
        long guestMac,
        List<InetSocketAddress> resolvers,
        Path resolvConf,
        @Nullable Path hostsFile,
        UdpLimits udp,
        BooleanSupplier hostHasIpv4,
        BooleanSupplier hostHasIpv6) {
    /** 02:4c:53:00:00:01: locally administered, "LS" in the middle. */
    public static final long OUR_MAC = 0x024C_5300_0001L;

    /** 02:4c:53:00:00:03. */
    public static final long GUEST_MAC = 0x024C_5300_0003L;

    public NetworkConfig {
        resolvers = List.copyOf(resolvers);
        if (mtu < 576 || mtu > 65_520) {
            throw new IllegalArgumentException("an MTU is 576 to 65520, not " + mtu);
        }
        if (mtu < Ipv6Output.MIN_MTU) {
            plan = plan.withoutIpv6();
        }
    }

    /** The usual MAC addresses, limits and /etc/resolv.conf; IPv6 as far as the host has it. */
    public static NetworkConfig of(IpPlan plan, int mtu, List<InetSocketAddress> resolvers) {
        return new NetworkConfig(
                plan,
                mtu,
                OUR_MAC,
                GUEST_MAC,
                resolvers,
                Path.of("/etc/resolv.conf"),
                Path.of("/etc/hosts"),
                UdpLimits.standard(),
                HostReach::hasIpv4,
                HostReach::hasIpv6);
    }
}
