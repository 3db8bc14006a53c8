package dev.longshore.backend;

import dev.longshore.config.VsockPorts;
import dev.longshore.control.Status;
import dev.longshore.engine.Engine;
import dev.longshore.engine.EngineDialer;
import dev.longshore.engine.EngineFacts;
import dev.longshore.engine.EngineLimits;
import dev.longshore.engine.EngineState;
import dev.longshore.engine.policy.ApiGate;
import dev.longshore.engine.policy.BindSources;
import dev.longshore.engine.policy.BoundAddresses;
import dev.longshore.engine.policy.GuestPaths;
import dev.longshore.engine.policy.MountPolicy;
import dev.longshore.engine.policy.SharedSources;
import dev.longshore.portforward.BindPolicy;
import dev.longshore.virtio.vsock.VsockHost;
import io.netty.channel.EventLoop;
import io.netty.channel.socket.DuplexChannel;
import io.netty.util.concurrent.Future;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * The Docker socket, from before the guest boots, and the watch over the Engine. Confined to the lifecycle thread, except
 * {@link #status}.
 */
final class EnginePart {
    private final Path socket;
    private final EngineDialer dialer;
    private final ApiGate gate;
    private final Consumer<EngineState> followers;
    private volatile @Nullable Engine engine; // written by the lifecycle thread, read by status

    /**
     * @param sources of bind mounts, beside the guest's own paths; asked in this order
     * @param advice for whoever wants to mount something else
     * @param ports where published ports are bound now; called on the vsock device's loop
     * @param followers hear of each change of the Engine's state, on that loop
     */
    EnginePart(
            Path socket,
            VsockHost vsock,
            List<BindSources> sources,
            Supplier<String> advice,
            Supplier<BindPolicy> ports,
            Consumer<EngineState> followers) {
        this.socket = socket;
        this.followers = followers;
        List<BindSources> all = new ArrayList<>(List.of(new GuestPaths(socket)));
        all.addAll(sources);
        gate = new ApiGate(
                List.of(new MountPolicy(all, advice)),
                List.of(new BoundAddresses(ports), new SharedSources(HostFolders.MOUNT_POINT)));
        dialer = new EngineDialer() {
            @Override
            public EventLoop loop() {
                return vsock.loop();
            }

            @Override
            public Future<DuplexChannel> connect() {
                return vsock.connect(VsockPorts.DOCKER_API);
            }
        };
    }

    /** Opens streams to the Engine. */
    EngineDialer dialer() {
        return dialer;
    }

    /** Started before the guest: who connects early waits for the Engine instead of failing. */
    Part socketPart() {
        return new SimplePart("docker-socket", "Docker socket", _ -> open(), this::close);
    }

    private void open() throws Exception {
        try {
            engine = Futures.get(Engine.open(socket, dialer, EngineLimits.DEFAULT, gate, followers));
        } catch (java.net.BindException e) {
            throw new PartException(String.valueOf(e.getMessage()), e);
        }
    }

    private void close() {
        Engine open = engine;
        engine = null;
        if (open != null) {
            Futures.settle(open.close());
        }
    }

    /** Waits for the Engine's first answer; at the stop, callers hear that it goes. */
    Part readyPart(Duration limit) {
        return new SimplePart("engine", "Docker Engine answers", _ -> await(limit), this::down);
    }

    private void await(Duration limit) throws Exception {
        Engine open = Objects.requireNonNull(engine, "engine");
        try {
            EngineFacts _ = Futures.get(open.watch(), limit);
        } catch (PartException e) {
            throw new PartException(
                    "the Docker Engine did not answer within " + limit.toSeconds() + " s: " + open.lastProblem()
                            + "; longshore logs --console shows what the guest says",
                    e);
        }
    }

    private void down() {
        Engine open = engine;
        if (open != null) {
            open.down("Longshore is stopping the guest; longshore up starts it again");
        }
    }

    /** Callers wait, and nothing is probed, if nobody uses the Engine. Any thread but the loop. */
    boolean pause() throws Exception {
        Engine open = engine;
        return open != null && Futures.get(open.pause());
    }

    /** Probed anew. */
    void resume() {
        Engine open = engine;
        if (open != null) {
            Future<EngineFacts> _ = open.watch();
        }
    }

    Status.Engine status() {
        Engine open = engine;
        return open != null && open.state() instanceof EngineState.Ready ready
                ? new Status.Engine(true, ready.facts().version(), ready.facts().apiVersion())
                : new Status.Engine(false, "", "");
    }
}
