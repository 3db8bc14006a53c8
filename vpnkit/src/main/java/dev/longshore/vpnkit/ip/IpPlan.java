package dev.longshore.vpnkit.ip;

import dev.longshore.config.AddressPlan;
import dev.longshore.packet.wire.IpAddress;

/**
 * Which address is whose, in one IPv4 subnet: {@link dev.longshore.config.AddressPlan} as numbers, for per-packet use.
 * Immutable.
 *
 * @param gateway router, DHCP server, the proxy's address
 * @param guest leased to the guest
 * @param dns the name server
 * @param host the host's loopback, as the guest reaches it
 * @param prefixLength of the subnet: 8..29
 */
public record IpPlan(IpAddress gateway, IpAddress guest, IpAddress dns, IpAddress host, int prefixLength) {
    public IpPlan {
        int mask = mask(prefixLength);
        int network = gateway.v4Bits() & mask;
        for (IpAddress a : new IpAddress[] {gateway, guest, dns, host}) {
            if (!a.isV4() || (a.v4Bits() & mask) != network) {
                throw new IllegalArgumentException(a + " is not in " + gateway + "/" + prefixLength);
            }
        }
    }

    /** 192.168.65.0/24 with .1, .3, .7 and .254: Docker Desktop's, whose numbers people have written down. */
    public static IpPlan standard() {
        return inSubnet(IpAddress.parse("192.168.65.0"));
    }

    /** What the settings came to. */
    public static IpPlan of(AddressPlan plan) {
        return new IpPlan(
                IpAddress.of(plan.gateway()),
                IpAddress.of(plan.guest()),
                IpAddress.of(plan.dns()),
                IpAddress.of(plan.host()),
                plan.subnet().prefix());
    }

    /** The standard places in another /24. */
    public static IpPlan inSubnet(IpAddress network) {
        int n = network.v4Bits() & mask(24);
        return new IpPlan(IpAddress.v4(n | 1), IpAddress.v4(n | 3), IpAddress.v4(n | 7), IpAddress.v4(n | 254), 24);
    }

    private static int mask(int prefixLength) {
        if (prefixLength < 8 || prefixLength > 29) {
            throw new IllegalArgumentException("prefix length " + prefixLength);
        }
        return -1 << (32 - prefixLength);
    }

    /** 255.255.255.0 for a /24. */
    public int mask() {
        return mask(prefixLength);
    }

    /** The subnet's first address. */
    public int network() {
        return gateway.v4Bits() & mask();
    }

    /** The subnet's last address. */
    public int broadcast() {
        return network() | ~mask();
    }

    public boolean isInSubnet(int address) {
        return (address & mask()) == network();
    }

    /** True for the addresses the daemon itself has: gateway, dns, host. */
    public boolean isOurs(int address) {
        return address == gateway.v4Bits() || address == dns.v4Bits() || address == host.v4Bits();
    }

    /** True for the addresses the daemon itself has. */
    public boolean isOurs(IpAddress address) {
        return address.isV4() && isOurs(address.v4Bits());
    }
}
