package dev.longshore.config;

/** What IPv6 the guest's network has. The setting {@code network.ipv6}. */
public enum Ipv6Mode {
    /** Addresses for the guest, the host and our services; a route to the Internet as long as the host has one. */
    AUTO,
    /** The same, with a route to the Internet whatever the host has. */
    ON,
    /** None at all. */
    OFF
}
