package dev.longshore.vpnkit.ethernet;

import io.netty.util.collection.IntObjectHashMap;

/**
 * Which MAC address has which IPv4 address of our subnet, learned from what the guest sends. Everything beyond the subnet
 * (containers' own addresses) is behind the station heard last. Confined to the link's event loop.
 */
final class Neighbours {
    /** A guest with macvlan containers has a few; an attacker who invents addresses gets no more. */
    private static final int MAX_ENTRIES = 256;

    /** No station is known. */
    static final long UNKNOWN = -1;

    private final int network;
    private final int mask;
    private final int guest;
    private final IntObjectHashMap<Station> stations = new IntObjectHashMap<>();
    private long lastHeard;
    private long guestStation = UNKNOWN;

    private static final class Station {
        long mac;
    }

    /** Until something is heard, the guest is at {@code guestMac}. */
    Neighbours(int network, int mask, int guest, long guestMac) {
        this.network = network;
        this.mask = mask;
        this.guest = guest;
        this.lastHeard = guestMac;
    }

    /** A packet with this source came from {@code mac}, a unicast address. */
    void learn(int address, long mac) {
        lastHeard = mac;
        if ((address & mask) != network) {
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
        if (address == guest) {
            guestStation = mac;
        }
    }

    long macOf(int address) {
        Station known = stations.get(address);
        return known != null ? known.mac : lastHeard;
    }

    /** The station that has shown that it has the guest's own address, or {@link #UNKNOWN}. */
    long guestStation() {
        return guestStation;
    }

    /** The guest went away. */
    void clear() {
        stations.clear();
        guestStation = UNKNOWN;
    }

    int size() {
        return stations.size();
    }
}
