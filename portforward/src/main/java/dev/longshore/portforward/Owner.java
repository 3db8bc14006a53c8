package dev.longshore.portforward;

/**
 * Who wants a port to exist. Immutable. Equal owners may expose the same forward twice and share it; different ones get
 * "address already in use".
 *
 * @param session tells the connections of the guest's agent apart; 0 for the control API
 */
public record Owner(Kind kind, long session) {
    /** In the words of {@code longshore ports ls}. */
    public enum Kind {
        /** {@code docker run -p}: one vsock connection per port, which is the lease. */
        CONTAINER,
        /** The control API; until it is unexposed. */
        CONTROL;

        /** {@code container} or {@code control}. */
        public String word() {
            return this == CONTAINER ? "container" : "control";
        }
    }

    public static final Owner CONTROL_API = new Owner(Kind.CONTROL, 0);

    public static Owner container(long session) {
        return new Owner(Kind.CONTAINER, session);
    }
}
