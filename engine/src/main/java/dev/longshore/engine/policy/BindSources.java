package dev.longshore.engine.policy;

import java.util.concurrent.CompletionStage;

/**
 * Knows where some paths are in the guest: those that are the guest's own, sockets of the host, shared folders. Called on the
 * connections' event loop: must not block.
 */
public interface BindSources {
    /** What becomes of a path of the host that is known, and at which there is nothing. */
    enum IfMissing {
        /** A folder is made, as for {@code -v}. */
        CREATE,
        /** The request is refused in Docker's words, as for {@code --mount type=bind}. */
        REFUSE,
        /** The Engine finds out when it mounts it. */
        LEAVE
    }

    /**
     * Looks a path up, and brings it into the guest if that is needed.
     *
     * @param path as the user gave it: absolute, without empty and dot segments
     * @return completes on any thread
     */
    CompletionStage<BindSource> find(String path, IfMissing ifMissing);
}
