package dev.longshore.engine;

import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.function.Supplier;

/**
 * Unix sockets of the host that the guest may reach, each by a name that the agent knows. Thread-safe.
 *
 * <p>Where a socket is, and whether, is asked for each caller anew: it may come and go while the guest runs.
 */
public final class HostSockets {
    /** The user's SSH agent, in the guest {@code /run/host-services/ssh-auth.sock}. */
    public static final String SSH_AUTH = "ssh-auth";

    private final ConcurrentMap<String, Supplier<Optional<HostSocket>>> sockets = new ConcurrentHashMap<>();

    /**
     * Lends a socket from now on, in place of what the name meant before.
     *
     * @param where the socket, for the caller to close, or nothing if there is none at the moment; called on the vsock loop, must not
     *     block
     */
    public void put(String name, Supplier<Optional<HostSocket>> where) {
        sockets.put(name, where);
    }

    /** Lends it no more; callers that are joined go on. */
    public void remove(String name) {
        sockets.remove(name);
    }

    /** The socket of {@code name}, for the caller to close; empty if there is no such socket or not now. */
    Optional<HostSocket> where(String name) {
        Supplier<Optional<HostSocket>> found = sockets.get(name);
        return found == null ? Optional.empty() : found.get();
    }
}
