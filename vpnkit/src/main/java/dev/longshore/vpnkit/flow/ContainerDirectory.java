package dev.longshore.vpnkit.flow;

import dev.longshore.packet.wire.IpAddress;
import io.netty.channel.EventLoop;
import io.netty.util.concurrent.Future;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** Who has which address behind the guest. Thread-safe; never blocks. */
public interface ContainerDirectory {
    /** Knows nobody: for a guest that has no Engine. */
    ContainerDirectory NOBODY = new ContainerDirectory() {
        @Override
        public @Nullable ContainerIdentity of(IpAddress address) {
            return null;
        }

        @Override
        public Future<Optional<ContainerIdentity>> ask(IpAddress address, EventLoop loop) {
            return loop.newSucceededFuture(Optional.empty());
        }
    };

    /** Whose it is now, as far as is known, from memory; null for the guest itself and for whom nobody knows (yet). */
    @Nullable
    ContainerIdentity of(IpAddress address);

    /** Changes whenever an answer of {@link #of} may have: so who remembers one need not ask again and again. */
    default long generation() {
        return 0;
    }

    /** All that have an address now, as far as is known, each once. */
    default Collection<ContainerIdentity> all() {
        return List.of();
    }

    /**
     * As {@link #of}, but asks the Engine if the address is not known, since a container may speak before its start is told. If
     * the Engine knows nobody either, it may still be a container that has just ended.
     *
     * @param loop where the future completes
     * @return never fails, and is done within about a second whatever the Engine does; empty if it doesn't know either
     */
    Future<Optional<ContainerIdentity>> ask(IpAddress address, EventLoop loop);
}
