package dev.longshore.backend;

import dev.longshore.config.VsockPorts;
import dev.longshore.control.Status;
import dev.longshore.engine.Engine;
import dev.longshore.engine.EngineDialer;
import dev.longshore.engine.EngineFacts;
import dev.longshore.engine.EngineLimits;
import dev.longshore.engine.EngineState;
import dev.longshore.virtio.vsock.VsockHost;
import io.netty.channel.EventLoop;
import io.netty.channel.socket.DuplexChannel;
import io.netty.util.concurrent.Future;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * The Docker socket, from before the guest boots, and the watch over the Engine. Confined to the lifecycle thread, except
 * {@link #status}.
 */
final class EnginePart {
    private final Path socket;
    private final EngineDialer dialer;
    private final EngineNews news;
    private volatile @Nullable Engine engine; // written by the lifecycle thread, read by status

    EnginePart(Path socket, VsockHost vsock, EngineNews news) {
        this.socket = socket;
        this.news = news;
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

    /** Started before the guest: who connects early waits for the Engine instead of failing. */
    Part socketPart() {
        return new SimplePart("docker-socket", "Docker socket", _ -> open(), this::close);
    }

    private void open() throws Exception {
        try {
            engine = Futures.get(Engine.open(socket, dialer, EngineLimits.DEFAULT, news));
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
            open.down("Longshore is stopping the guest");
        }
    }

    Status.Engine status() {
        Engine open = engine;
        return open != null && open.state() instanceof EngineState.Ready ready
                ? new Status.Engine(true, ready.facts().version(), ready.facts().apiVersion())
                : new Status.Engine(false, "", "");
    }
}
