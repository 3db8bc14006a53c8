package dev.longshore.config;

import java.net.Inet4Address;

/**
 * Who has which address in the guest's network. The names of these places are stable, the addresses follow the subnet.
 * Immutable.
 *
 * @param subnet /16 to /24, so that all the places fit
 * @param gateway {@code gateway.docker.internal}: gateway, DHCP server and, on port 3128, {@code http.docker.internal}
 * @param guest what DHCP gives the guest
 * @param dns the resolver
 * @param host {@code host.docker.internal}: traffic to it reaches the host's loopback
 * @param ipv6Prefix the first 64 bits of the IPv6 places ::1, ::3, ::7 and ::254 (fdc4:f303:9324::/64)
 */
public record AddressPlan(
        Ipv4Subnet subnet,
        Inet4Address gateway,
        Inet4Address guest,
        Inet4Address dns,
        Inet4Address host,
        long ipv6Prefix) {
    /** The guest's card, given to it through virtio's configuration space; locally administered, "LS" in the middle. */
    public static final String GUEST_MAC = "02:4c:53:00:00:03";

    /** On the gateway: the HTTP proxy. */
    public static final int PROXY_PORT = 3128;

    /** RFC 8200 §5: with less there is no IPv6. */
    public static final int IPV6_MIN_MTU = 1280;

    private static final long IPV6_PREFIX = 0xfdc4_f303_9324_0000L;

    public static AddressPlan in(Ipv4Subnet subnet) {
        return new AddressPlan(
                subnet, subnet.address(1), subnet.address(3), subnet.address(7), subnet.address(254), IPV6_PREFIX);
    }
}
