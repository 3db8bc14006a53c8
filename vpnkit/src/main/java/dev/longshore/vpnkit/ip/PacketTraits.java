package dev.longshore.vpnkit.ip;

/**
 * What a transport is told of a packet beside its addresses, in one int: the link's offload bits
 * ({@link dev.longshore.packet.link.FrameSink}) in the low byte, and what the IP header says for the rest of the way.
 */
public final class PacketTraits {
    private static final int OFFLOAD = 0xFF;
    private static final int HOPS_AT = 8;
    private static final int CLASS_AT = 16;
    private static final int DONT_FRAGMENT = 1 << 24;
    private static final int USUAL_HOPS = 64;

    private PacketTraits() {}

    /**
     * @param hops the TTL or hop limit the packet came with: 1..255
     * @param trafficClass TOS or traffic class: 0..255
     * @param dontFragment whether it may not be cut on its way: DF in IPv4, and in IPv6 unless it came in fragments
     */
    static int of(int offload, int hops, int trafficClass, boolean dontFragment) {
        return (offload & OFFLOAD)
                | (hops << HOPS_AT)
                | (trafficClass << CLASS_AT)
                | (dontFragment ? DONT_FRAGMENT : 0);
    }

    /** The TTL or hop limit a packet leaves us with, after one hop here: 1..254. */
    public static int hopsLeft(int traits) {
        int hops = (traits >>> HOPS_AT) & 0xFF;
        return hops == 0 ? USUAL_HOPS : Math.max(1, hops - 1); // 0: nobody said
    }

    /** The DSCP in its place in TOS or traffic class. ECN ends here, since it could not be carried back. */
    public static int trafficClass(int traits) {
        return (traits >>> CLASS_AT) & 0xFC;
    }

    public static boolean dontFragment(int traits) {
        return (traits & DONT_FRAGMENT) != 0;
    }
}
