package dev.longshore.engine.policy;

import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;

/**
 * Paths whose bind mounts mean the machine that the Engine runs on, and not the user's: its kernel's file systems, its
 * devices, the Engine's own files and sockets, and the host's services in it. Our API socket means the Engine's. Immutable.
 *
 * <p>All else is refused, even where the guest has a file of that name: who mounts /etc wants that of the host.
 */
public final class GuestPaths implements BindSources {
    private static final String ENGINE_SOCKET = "/run/docker.sock";

    private static final Set<String> ALONE = Set.of("/run", ENGINE_SOCKET, "/run/docker.pid");

    private static final List<String> WITH_ALL_BELOW = List.of(
            "/proc",
            "/sys",
            "/dev",
            "/lib/modules",
            "/usr/lib/modules",
            "/run/docker",
            "/run/containerd",
            "/run/host-services",
            "/var/lib/docker",
            "/var/lib/containerd");

    private final String apiSocket;

    /** @param apiSocket on the host, absolute: tools mount the socket that they talk to themselves */
    public GuestPaths(Path apiSocket) {
        this.apiSocket = GoPath.clean(apiSocket.toString());
    }

    @Override
    public CompletionStage<BindSource> find(String path, IfMissing ifMissing) {
        return CompletableFuture.completedStage(lookUp(path));
    }

    private BindSource lookUp(String path) {
        if (path.equals(apiSocket)) {
            return new BindSource.InGuest(ENGINE_SOCKET);
        }
        String place = path.equals("/var/run") || path.startsWith("/var/run/") ? path.substring(4) : path; // a link
        boolean known = ALONE.contains(place)
                || WITH_ALL_BELOW.stream().anyMatch(root -> place.equals(root) || place.startsWith(root + "/"));
        return known ? new BindSource.InGuest(path) : BindSource.UNKNOWN;
    }
}
