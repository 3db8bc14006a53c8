package dev.longshore.vpnkit.ethernet;

/**
 * Which MAC address has which IPv6 address of our link. Confined to the link's event loop.
 *
 * <p>Theory of operation: a cache of {@link #SETS} sets with {@link #WAYS} places each, found by a hash, so that a guest
 * that invents addresses, or changes its own every day, uses no more than this. What had to yield is found again by a
 * neighbor solicitation.
 */
final class Neighbours6 {
    static final int WAYS = 4;
    static final int SETS = 64;

    /** No station is known: a MAC address that none has. */
    static final long UNKNOWN = Neighbours.UNKNOWN;

    private final long[] hi = new long[SETS * WAYS];
    private final long[] lo = new long[SETS * WAYS];
    private final long[] mac = new long[SETS * WAYS];
    private final byte[] nextVictim = new byte[SETS];
    private int size;

    /** The MAC address, or {@link #UNKNOWN}. */
    long find(long addressHi, long addressLo) {
        int first = set(addressHi, addressLo) * WAYS;
        for (int i = first; i < first + WAYS; i++) {
            if (lo[i] == addressLo && hi[i] == addressHi && mac[i] != UNKNOWN) {
                return mac[i];
            }
        }
        return UNKNOWN;
    }

    /** The address is at {@code station} from now on. */
    void put(long addressHi, long addressLo, long station) {
        int set = set(addressHi, addressLo);
        int first = set * WAYS;
        int place = -1;
        for (int i = first; i < first + WAYS; i++) {
            if (lo[i] == addressLo && hi[i] == addressHi && mac[i] != UNKNOWN) {
                mac[i] = station;
                return;
            }
            if (mac[i] == UNKNOWN && place < 0) {
                place = i;
            }
        }
        if (place < 0) {
            place = first + nextVictim[set];
            nextVictim[set] = (byte) ((nextVictim[set] + 1) % WAYS);
        } else {
            size++;
        }
        hi[place] = addressHi;
        lo[place] = addressLo;
        mac[place] = station;
    }

    /** Nothing is known of this address any more. */
    void forget(long addressHi, long addressLo) {
        int first = set(addressHi, addressLo) * WAYS;
        for (int i = first; i < first + WAYS; i++) {
            if (lo[i] == addressLo && hi[i] == addressHi && mac[i] != UNKNOWN) {
                mac[i] = UNKNOWN;
                size--;
            }
        }
    }

    /** Forgets all. */
    void clear() {
        java.util.Arrays.fill(mac, UNKNOWN);
        size = 0;
    }

    /** At most {@link #SETS} times {@link #WAYS}. */
    int size() {
        return size;
    }

    private static int set(long addressHi, long addressLo) {
        long h = (addressHi ^ Long.rotateLeft(addressLo, 32)) * 0x9E37_79B9_7F4A_7C15L; // 2^64 / golden ratio
        return (int) (h >>> 58);
    }
}
