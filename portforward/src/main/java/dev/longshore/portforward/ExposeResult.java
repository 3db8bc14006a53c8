package dev.longshore.portforward;

/** How a wish for a port ended. Immutable. */
public sealed interface ExposeResult {
    /**
     * The port is bound.
     *
     * @param id names it for {@link PortTable#release}
     * @param bound what the host really listens on: the port resolved, the address as the settings allow it
     * @param note for the user; empty if there is nothing to say
     */
    record Exposed(long id, HostEndpoint bound, String note) implements ExposeResult {}

    /** The port is not bound; {@code message} is for the user, in Docker Desktop's words. */
    record Refused(Reason reason, String message) implements ExposeResult {}

    enum Reason {
        /** EADDRINUSE: someone on the host has it, or another owner here. */
        IN_USE,
        /** EACCES, EPERM: the host forbids it. */
        FORBIDDEN,
        /** EADDRNOTAVAIL, EAFNOSUPPORT: not an address of this host. */
        NO_SUCH_ADDRESS,
        /** Released, or the daemon stopped, before the port was bound. */
        CANCELLED,
        /** Anything else, descriptors exhausted for instance. */
        OTHER
    }
}
