package dev.longshore.vpnkit.hostsocket;

import dev.longshore.packet.wire.IpAddress;
import java.util.List;
import java.util.Locale;
import java.util.Set;

/**
 * The addresses a dialer must not take literally: the aliases of the host's loopback, and the guest's own network, which
 * no host socket can reach. Immutable.
 *
 * @param hostAliases host.docker.internal: .254 and its IPv6 twin; they mean the host's loopback
 * @param hostNames names of the host aliases, in lower case, without a trailing dot
 * @param guestNetworks what lies inside: every other address there is ours or the guest's
 */
public record OwnAddresses(Set<IpAddress> hostAliases, Set<String> hostNames, List<Subnet> guestNetworks) {
    public OwnAddresses {
        hostAliases = Set.copyOf(hostAliases);
        hostNames = Set.copyOf(hostNames);
        guestNetworks = List.copyOf(guestNetworks);
    }

    /** Nothing is ours: every address is dialed as it is. */
    public static OwnAddresses none() {
        return new OwnAddresses(Set.of(), Set.of(), List.of());
    }

    public boolean isHostAlias(IpAddress address) {
        return hostAliases.contains(address);
    }

    public boolean isHostName(String name) {
        return hostNames.contains(name.toLowerCase(Locale.ROOT));
    }

    /** True for host aliases too. */
    public boolean isInGuestNetwork(IpAddress address) {
        for (Subnet s : guestNetworks) {
            if (s.contains(address)) {
                return true;
            }
        }
        return false;
    }

    /**
     * A network. Immutable.
     *
     * @param base any address in it
     * @param prefix leading bits that count, of 32 for IPv4 and of 128 for IPv6
     */
    public record Subnet(IpAddress base, int prefix) {
        public Subnet {
            if (prefix < 0 || prefix > (base.isV4() ? 32 : 128)) {
                throw new IllegalArgumentException("prefix length " + prefix + " for " + base);
            }
        }

        public boolean contains(IpAddress address) {
            if (address.isV4() != base.isV4()) {
                return false;
            }
            int bits = base.isV4() ? prefix + 96 : prefix; // mapped addresses have 96 bits in common
            return ((address.hi() ^ base.hi()) & mask(bits)) == 0
                    && ((address.lo() ^ base.lo()) & mask(bits - 64)) == 0;
        }

        /** The first {@code bits} of 64; none if negative, all if more. */
        private static long mask(int bits) {
            return bits <= 0 ? 0 : bits >= 64 ? -1L : -1L << (64 - bits);
        }
    }
}
