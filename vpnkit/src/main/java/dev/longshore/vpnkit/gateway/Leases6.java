package dev.longshore.vpnkit.gateway;

import dev.longshore.vpnkit.ip.IpPlan;
import io.netty.util.collection.IntObjectHashMap;
import io.netty.util.collection.LongObjectHashMap;

/**
 * Which MAC address has which IPv6 address, by the rules of {@link Leases}: the guest's own has the plan's, strangers get
 * others, everybody finds his own again. The identifier a DHCPv6 client invents (RFC 8415 §11) does not matter: a guest
 * made anew has another one, but the same card. Confined to the link's event loop.
 */
final class Leases6 {
    static final int NONE = 0;
    static final int POOL = 64;

    /** Strangers get ::1000 and what follows. */
    private static final int FIRST = 0x1000;

    private final int guestAddress;
    private final long guestMac;
    private final LongObjectHashMap<Integer> byMac = new LongObjectHashMap<>();
    private final IntObjectHashMap<Boolean> taken = new IntObjectHashMap<>();

    Leases6(IpPlan plan, long guestMac) {
        this.guestAddress = (int) plan.guest6().lo();
        this.guestMac = guestMac;
    }

    /** The last 32 bits of the address that is this station's, leased now if need be; {@link #NONE} if none is left. */
    int lease(long mac) {
        Integer known = byMac.get(mac);
        if (known != null) {
            return known;
        }
        int address = mac == guestMac ? guestAddress : free();
        if (address != NONE) {
            byMac.put(mac, Integer.valueOf(address));
            taken.put(address, Boolean.TRUE);
        }
        return address;
    }

    private int free() {
        for (int i = FIRST; i < FIRST + POOL; i++) {
            if (!taken.containsKey(i)) {
                return i;
            }
        }
        return NONE;
    }

    /** The station gives its address back. The guest's own stays its own. */
    void release(long mac) {
        if (mac != guestMac) {
            Integer known = byMac.remove(mac);
            if (known != null) {
                taken.remove((int) known);
            }
        }
    }

    /** The station found its address in use: it gets another one, which the guest's own card never does. */
    void decline(long mac) {
        if (mac != guestMac && byMac.remove(mac) != null && taken.size() == POOL) {
            taken.clear(); // long ago, or a guest that declines everything
            for (Integer address : byMac.values()) {
                taken.put(address.intValue(), Boolean.TRUE);
            }
        }
    }

    int size() {
        return byMac.size();
    }
}
