package dev.longshore.config;

/** Which address records are kept from containers. The setting {@code dnsInhibition}; Docker Desktop's words. */
public enum DnsFilter {
    /** Those of the family that the host, or the networking mode, has no way for. */
    AUTO,
    /** A records; with {@link NetworkingMode#DUAL_STACK} only. */
    IPV4,
    /** AAAA records; with {@link NetworkingMode#DUAL_STACK} only. */
    IPV6,
    /** None. */
    NONE
}
