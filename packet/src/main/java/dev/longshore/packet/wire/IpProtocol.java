package dev.longshore.packet.wire;

/** Protocol numbers of IPv4's protocol field and IPv6's next header (IANA registry). */
public final class IpProtocol {
    public static final int ICMP = 1;
    public static final int TCP = 6;
    public static final int UDP = 17;
    public static final int ICMPV6 = 58;

    private IpProtocol() {}
}
