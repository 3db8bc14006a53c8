package dev.longshore.portforward;

/**
 * Who wants a port to exist. Immutable. Equal owners may expose the same forward twice and share it; different ones get
 * "address already in use".
 *
 * @param session tells the connections of the guest's agent apart; 0 for everybody else
 */
public record Owner(Kind kind, long session) {
    /** In the words of {@code longshore ports ls}. */
    public enum Kind {
        /** {@code docker run -p}: one vsock connection per port, which is the lease. */
        CONTAINER,
        /** The control API; until it is unexposed. */
        CONTROL,
        /** What the Engine says is published though no lease is there; gives way to whoever asks for the same endpoint. */
        ENGINE,
        /** A listener in the guest's own network namespace: {@code docker run --net=host}. */
        HOST_NETWORK;

        /** As {@code longshore ports ls} shows it. */
        public String word() {
            return switch (this) {
                case CONTAINER -> "container";
                case CONTROL -> "control";
                case ENGINE -> "engine";
                case HOST_NETWORK -> "host-network";
            };
        }
    }

    public static final Owner CONTROL_API = new Owner(Kind.CONTROL, 0);
    public static final Owner ENGINE_STATE = new Owner(Kind.ENGINE, 0);
    public static final Owner HOST_NETWORKING = new Owner(Kind.HOST_NETWORK, 0);

    public static Owner container(long session) {
        return new Owner(Kind.CONTAINER, session);
    }
}
