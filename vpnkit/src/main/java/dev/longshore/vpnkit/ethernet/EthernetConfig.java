package dev.longshore.vpnkit.ethernet;

import dev.longshore.packet.wire.IpAddress;
import org.jspecify.annotations.Nullable;

/**
 * What the link layer must know of the address plan. Immutable.
 *
 * @param ourMac the MAC address of all our own addresses
 * @param guestMac what the guest's card was told
 * @param guest the guest's own IPv4 address
 * @param guest6 the guest's own IPv6 address, if it takes the one it is given; only with IPv6
 * @param ourAddresses IPv4, each answered by ARP; the first one asks
 * @param network the subnet's first address
 * @param mask the subnet's mask
 * @param ourIpv6 each answered by neighbor discovery; none: no IPv6 on this link
 * @param linkLocal the one of {@code ourIpv6} with link scope, from which we ask
 * @param ipv6Prefix the first 64 bits of what is on the link, besides fe80::/10
 */
@SuppressWarnings("ArrayRecordComponent") // made once, never compared, never given away
public record EthernetConfig(
        long ourMac,
        long guestMac,
        int guest,
        @Nullable IpAddress guest6,
        int[] ourAddresses,
        int network,
        int mask,
        IpAddress[] ourIpv6,
        IpAddress linkLocal,
        long ipv6Prefix) {}
