package dev.longshore.engine.policy;

import java.util.concurrent.CompletionStage;

/**
 * Knows where some paths are in the guest: those that are the guest's own, later shared folders and sockets of the host.
 * Called on the connections' event loop: must not block.
 */
public interface BindSources {
    /**
     * Looks a path up, and brings it into the guest if that is needed.
     *
     * @param path as the user gave it: absolute, without empty and dot segments
     * @return completes on any thread
     */
    CompletionStage<BindSource> find(String path);
}
