package dev.longshore.vpnkit.ip;

import dev.longshore.config.AddressPlan;
import dev.longshore.packet.wire.IpAddress;

/**
 * Which address is whose, in one IPv4 subnet and one IPv6 prefix: {@link dev.longshore.config.AddressPlan} as numbers, for
 * per-packet use. The places have the same numbers in both families: ::1 the gateway, ::3 the guest, ::7 DNS, ::254 the
 * host. Immutable.
 *
 * @param gateway router, DHCP server, the proxy's address
 * @param guest leased to the guest
 * @param dns the name server
 * @param host the host's loopback, as the guest reaches it
 * @param prefixLength of the subnet: 8..29
 * @param ipv6Prefix the first 64 bits of the IPv6 addresses, or 0 for a network without IPv6
 */
public record IpPlan(
        IpAddress gateway, IpAddress guest, IpAddress dns, IpAddress host, int prefixLength, long ipv6Prefix) {
    /** What {@link #standard} has: Docker Desktop's. */
    private static final long STANDARD_PREFIX = 0xFDC4_F303_9324_0000L;

    private static final long GATEWAY_LO = 1;
    private static final long GUEST_LO = 3;
    private static final long DNS_LO = 7;
    private static final long HOST_LO = 0x254;

    /** fe80::1, our address on the link: the source of neighbor discovery, and what guests route to. */
    public static final IpAddress LINK_LOCAL = new IpAddress(0xFE80L << 48, 1);

    public IpPlan {
        int mask = mask(prefixLength);
        int network = gateway.v4Bits() & mask;
        for (IpAddress a : new IpAddress[] {gateway, guest, dns, host}) {
            if (!a.isV4() || (a.v4Bits() & mask) != network) {
                throw new IllegalArgumentException(a + " is not in " + gateway + "/" + prefixLength);
            }
        }
        if (ipv6Prefix != 0 && (IpAddress.isMulticast(ipv6Prefix) || IpAddress.isLinkLocal(ipv6Prefix))) {
            throw new IllegalArgumentException("no prefix for hosts: " + new IpAddress(ipv6Prefix, 0));
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
                plan.subnet().prefix(),
                plan.ipv6Prefix());
    }

    /** The same without IPv6. */
    public IpPlan withoutIpv6() {
        return new IpPlan(gateway, guest, dns, host, prefixLength, 0);
    }

    /** The standard places in another /24. */
    public static IpPlan inSubnet(IpAddress network) {
        int n = network.v4Bits() & mask(24);
        return new IpPlan(
                IpAddress.v4(n | 1),
                IpAddress.v4(n | 3),
                IpAddress.v4(n | 7),
                IpAddress.v4(n | 254),
                24,
                STANDARD_PREFIX);
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

    /** True for the addresses the daemon itself has, of either family. */
    public boolean isOurs(IpAddress address) {
        return isOurs(address.hi(), address.lo());
    }

    /** True for the addresses the daemon itself has, of either family: IPv4 mapped; IPv6 link-local, too. */
    public boolean isOurs(long hi, long lo) {
        if (IpAddress.isV4(hi, lo)) {
            return isOurs((int) lo);
        }
        if (ipv6Prefix == 0) {
            return false;
        }
        return hi == ipv6Prefix ? lo == GATEWAY_LO || lo == DNS_LO || lo == HOST_LO : isLinkLocalOurs(hi, lo);
    }

    private static boolean isLinkLocalOurs(long hi, long lo) {
        return hi == LINK_LOCAL.hi() && lo == LINK_LOCAL.lo();
    }

    /** True for an address of the link, of either family: nobody routes to it. */
    public boolean isOnLink(long hi, long lo) {
        if (IpAddress.isV4(hi, lo)) {
            return isInSubnet((int) lo);
        }
        return IpAddress.isLinkLocal(hi) || isInPrefix(hi);
    }

    /** True for an IPv6 address of our prefix. */
    public boolean isInPrefix(long hi) {
        return ipv6Prefix != 0 && hi == ipv6Prefix;
    }

    /** True for {@link #host6}. */
    public boolean isHost6(long hi, long lo) {
        return isInPrefix(hi) && lo == HOST_LO;
    }

    /** True for the guest's own addresses, which no container can have: those of the plan, and IPv6 link-local ones. */
    public boolean isGuest(long hi, long lo) {
        return IpAddress.isV4(hi, lo)
                ? (int) lo == guest.v4Bits()
                : IpAddress.isLinkLocal(hi) || (isInPrefix(hi) && lo == GUEST_LO);
    }

    public boolean hasIpv6() {
        return ipv6Prefix != 0;
    }

    /** The gateway's IPv6 address; only with IPv6, as the others. */
    public IpAddress gateway6() {
        return place(GATEWAY_LO);
    }

    public IpAddress guest6() {
        return place(GUEST_LO);
    }

    public IpAddress dns6() {
        return place(DNS_LO);
    }

    public IpAddress host6() {
        return place(HOST_LO);
    }

    private IpAddress place(long lo) {
        if (ipv6Prefix == 0) {
            throw new IllegalStateException("a network without IPv6");
        }
        return new IpAddress(ipv6Prefix, lo);
    }
}
