package dev.longshore.vpnkit.tcp;

import java.util.function.LongSupplier;
import java.util.random.RandomGenerator;

/**
 * Initial sequence numbers: RFC 6528, M + F(addresses, secret) with M a clock of 4 microseconds. So the numbers of one pair of
 * addresses rise, and a guest that still holds the last connection in TIME-WAIT takes the next one.
 *
 * <p>Confined to the link's event loop. F is a keyed mix and no cryptographic hash: the only one who sees our numbers is
 * the guest they are sent to.
 */
final class InitialSequence {
    private final long key0;
    private final long key1;
    private final LongSupplier clock;

    InitialSequence(RandomGenerator random, LongSupplier clock) {
        this.key0 = random.nextLong();
        this.key1 = random.nextLong();
        this.clock = clock;
    }

    int next(long guestHi, long guestLo, int guestPort, long remoteHi, long remoteLo, int remotePort) {
        long h = mixAll(key0, guestHi, guestLo, guestPort, remoteHi, remoteLo, remotePort);
        return (int) (h + clock.getAsLong() / 4000);
    }

    /** The offset of our timestamps, RFC 7323 §5.4: the same for each connection on these addresses and ports. */
    int timestampOffset(long guestHi, long guestLo, int guestPort, long remoteHi, long remoteLo, int remotePort) {
        return (int) (mixAll(~key0, guestHi, guestLo, guestPort, remoteHi, remoteLo, remotePort) >>> 32);
    }

    private long mixAll(
            long key, long guestHi, long guestLo, int guestPort, long remoteHi, long remoteLo, int remotePort) {
        long h = mix(key ^ guestHi);
        h = mix(h ^ guestLo);
        h = mix(h ^ remoteHi);
        h = mix(h ^ remoteLo);
        return mix(h ^ ((long) guestPort << 16 | remotePort) ^ key1);
    }

    private static long mix(long z) {
        z = (z ^ (z >>> 30)) * 0xbf58476d1ce4e5b9L;
        z = (z ^ (z >>> 27)) * 0x94d049bb133111ebL;
        return z ^ (z >>> 31);
    }
}
