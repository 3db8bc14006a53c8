package dev.longshore.vpnkit.gateway;

import dev.longshore.vpnkit.ip.IpPlan;
import io.netty.util.collection.IntObjectHashMap;
import io.netty.util.collection.LongObjectHashMap;
import org.jspecify.annotations.Nullable;

/**
 * Which MAC address has which IPv4 address. The guest's own MAC always has the plan's guest address; a stranger gets it
 * only as long as the guest has not asked. Leases are sticky: a station that comes back finds its address as it was, until
 * the pool is needed by others. Confined to the link's event loop.
 */
final class Leases {
    /** Enough for macvlan containers; the rest of a /24 stays free for them to choose by hand. */
    private static final int POOL = 64;

    private final IpPlan plan;
    private final long guestMac;
    private final LongObjectHashMap<Integer> byMac = new LongObjectHashMap<>();
    private final IntObjectHashMap<Long> byAddress = new IntObjectHashMap<>();
    private final IntObjectHashMap<Boolean> declined = new IntObjectHashMap<>();

    Leases(IpPlan plan, long guestMac) {
        this.plan = plan;
        this.guestMac = guestMac;
    }

    /** The address that is this station's, leased now if need be; 0 if none is left. */
    int lease(long mac) {
        Integer known = byMac.get(mac);
        if (mac == guestMac) {
            return known != null ? known : take(mac, plan.guest().v4Bits());
        }
        if (known != null) {
            return known;
        }
        int guest = plan.guest().v4Bits();
        if (!byAddress.containsKey(guest)) {
            return take(mac, guest);
        }
        int free = free();
        return free == 0 ? 0 : take(mac, free);
    }

    /** Like {@link #lease}, but never makes one: 0 if there is none. */
    int find(long mac) {
        Integer known = byMac.get(mac);
        return known == null ? 0 : known;
    }

    private int take(long mac, int address) {
        Long other = byAddress.get(address);
        if (other != null) {
            byMac.remove((long) other);
        }
        byMac.put(mac, Integer.valueOf(address));
        byAddress.put(address, Long.valueOf(mac));
        return address;
    }

    private int free() {
        int last = Math.min(plan.broadcast() - 1, plan.network() + 15 + POOL);
        for (int pass = 0; pass < 2; pass++) {
            int first = pass == 0 ? plan.network() + 16 : plan.network() + 1; // small subnets have no .16
            for (int a = first; a <= last; a++) {
                boolean taken = plan.isOurs(a)
                        || a == plan.guest().v4Bits()
                        || byAddress.containsKey(a)
                        || declined.containsKey(a);
                if (!taken) {
                    return a;
                }
            }
        }
        declined.clear(); // long ago, or a guest that declines everything
        return 0;
    }

    /** The station gives its address back. The guest's own stays its own. */
    void release(long mac) {
        Integer known = byMac.get(mac);
        if (known != null && mac != guestMac) {
            byMac.remove(mac);
            byAddress.remove((int) known);
        }
    }

    /** The station found {@code address} in use. The guest's own stays its own: nobody but we give addresses here. */
    void decline(long mac, int address) {
        Integer known = byMac.get(mac);
        if (known != null && known == address && mac != guestMac) {
            release(mac);
            declined.put(address, Boolean.TRUE);
        }
    }

    /** Whose address this is, or null. */
    @Nullable
    Long holder(int address) {
        return byAddress.get(address);
    }

    int size() {
        return byMac.size();
    }
}
