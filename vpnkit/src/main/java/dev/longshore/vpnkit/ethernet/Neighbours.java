package dev.longshore.vpnkit.ethernet;

import io.netty.util.collection.IntObjectHashMap;

/**
 * Which MAC address has which IPv4 address of our subnet, learned from what the guest sends. Confined to the link's event
 * loop.
 */
final class Neighbours {
    /** A guest with macvlan containers has a few; an attacker who invents addresses gets no more. */
    private static final int MAX_ENTRIES = 256;

    /** No station is known: a MAC address that none has. */
    static final long UNKNOWN = 0;

    private final int network;
    private final int mask;
    private final int guest;
    private final IntObjectHashMap<Station> stations = new IntObjectHashMap<>();
    private long guestStation = UNKNOWN;
    private long lastHeard = UNKNOWN;

    private static final class Station {
        long mac;
    }

    /** {@code guest}: the guest's own address. */
    Neighbours(int network, int mask, int guest) {
        this.network = network;
        this.mask = mask;
        this.guest = guest;
    }

    /** A packet with this source came from {@code mac}, a unicast address. */
    void learn(int address, long mac) {
        lastHeard = mac;
        if ((address & mask) != network) {
            return;
        }
        if (address == guest) {
            guestStation = mac;
            return;
        }
        Station known = stations.get(address);
        if (known == null) {
            if (stations.size() == MAX_ENTRIES) {
                return;
            }
            known = new Station();
            stations.put(address, known);
        }
        known.mac = mac;
    }

    /** The station that has this address, or behind which it is; {@link #UNKNOWN}. */
    long macOf(int address) {
        if ((address & mask) != network) {
            return guestStation != UNKNOWN ? guestStation : lastHeard;
        }
        if (address == guest) {
            return guestStation;
        }
        Station known = stations.get(address);
        return known != null ? known.mac : UNKNOWN;
    }

    /** The station that has shown that it has the guest's own address, or {@link #UNKNOWN}. */
    long guestStation() {
        return guestStation;
    }

    /** Nobody has this address any more. */
    void forget(int address) {
        if (address == guest) {
            lastHeard = lastHeard == guestStation ? UNKNOWN : lastHeard;
            guestStation = UNKNOWN;
        } else {
            stations.remove(address);
        }
    }

    /** The guest went away. */
    void clear() {
        stations.clear();
        guestStation = UNKNOWN;
        lastHeard = UNKNOWN;
    }

    int size() {
        return stations.size() + (guestStation == UNKNOWN ? 0 : 1);
    }
}
