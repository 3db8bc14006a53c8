package dev.longshore.vpnkit.flow;

import dev.longshore.packet.wire.IpAddress;
import io.netty.channel.EventLoop;
import io.netty.util.concurrent.Future;
import io.netty.util.concurrent.Promise;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Knows what the test tells, and answers those who ask when the test says so. */
public final class ScriptedDirectory implements ContainerDirectory {
    private final Map<IpAddress, ContainerIdentity> known = new HashMap<>();
    private final List<Promise<Optional<ContainerIdentity>>> asking = new ArrayList<>();
    private long generation;

    /** Nobody asks {@link #of} for nothing. */
    public int looks;

    public static ContainerIdentity container(String name) {
        return new ContainerIdentity("id-of-" + name, name, "image:1", null, null, Set.of("bridge"));
    }

    public ContainerIdentity put(String address, String name) {
        ContainerIdentity container = container(name);
        known.put(IpAddress.parse(address), container);
        generation++;
        return container;
    }

    public void remove(String address) {
        known.remove(IpAddress.parse(address));
        generation++;
    }

    public int asking() {
        return asking.size();
    }

    /** To all who ask. */
    public void answer(@Nullable ContainerIdentity container) {
        List.copyOf(asking).forEach(p -> p.setSuccess(Optional.ofNullable(container)));
        asking.clear();
    }

    @Override
    public @Nullable ContainerIdentity of(IpAddress address) {
        looks++;
        return known.get(address);
    }

    @Override
    public long generation() {
        return generation;
    }

    @Override
    public Future<Optional<ContainerIdentity>> ask(IpAddress address, EventLoop loop) {
        Promise<Optional<ContainerIdentity>> promise = loop.newPromise();
        asking.add(promise);
        return promise;
    }
}
