package dev.longshore.portforward;

/** What a host listener speaks. */
public enum Protocol {
    TCP,
    UDP,
    /** A stream socket in the host's file system; leads to a TCP port of the guest. */
    UNIX;

    /** {@code tcp}, {@code udp}, {@code unix}. */
    public String word() {
        return switch (this) {
            case TCP -> "tcp";
            case UDP -> "udp";
            case UNIX -> "unix";
        };
    }
}
