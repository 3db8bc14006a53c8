package dev.longshore.proxy.route;

/** One way to a remote. Immutable. */
public sealed interface Hop {
    /** By a socket of the host. */
    record Direct() implements Hop {
        @Override
        public String toString() {
            return "DIRECT";
        }
    }

    /** Through a proxy. */
    record Through(ProxyAddress proxy) implements Hop {
        @Override
        public String toString() {
            return proxy.toString();
        }
    }

    /**
     * No way at all.
     *
     * @param reason for the user: which rule says so
     */
    record Blocked(String reason) implements Hop {
        @Override
        public String toString() {
            return "blocked: " + reason;
        }
    }
}
