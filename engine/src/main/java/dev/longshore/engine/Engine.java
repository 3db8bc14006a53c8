package dev.longshore.engine;

import dev.longshore.engine.policy.ApiGate;
import io.netty.channel.EventLoop;
import io.netty.util.concurrent.Future;
import io.netty.util.concurrent.Promise;
import io.netty.util.concurrent.ScheduledFuture;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The Docker Engine on the host: its API socket, and a watch over whether it answers. Thread-safe: the public methods may be
 * called from any thread and hand themselves to the dialer's loop, to which everything else is confined.
 *
 * <p>It begins in {@link EngineState.Starting}: connections wait. {@link #watch} begins to probe; the first answer makes it
 * {@link EngineState.Ready}. {@link #pause} lets callers wait while somebody restarts the Engine. Some probes without an answer make it Starting again, since the guest restarts an Engine that ended.
 */
public final class Engine {
    private static final Logger LOG = LoggerFactory.getLogger(Engine.class);

    private final EventLoop loop;
    private final ApiSocket socket;
    private final EngineProbe probe;
    private final EngineLimits limits;
    private final Consumer<EngineState> listener;
    private final Promise<EngineFacts> ready;

    private volatile EngineState state = new EngineState.Starting();
    private volatile int connections;
    private volatile String lastProblem = "not asked yet";

    private boolean watching;
    private boolean closed;
    private int misses;
    private long requestsAtPause = -1;
    private int watches; // tells an answer to a probe of a former one
    private @Nullable ScheduledFuture<?> next;

    private Engine(EngineDialer dialer, ApiSocket socket, EngineLimits limits, Consumer<EngineState> listener) {
        this.loop = dialer.loop();
        this.socket = socket;
        this.limits = limits;
        this.listener = listener;
        this.probe = new EngineProbe(dialer);
        this.ready = loop.newPromise();
        socket.onNoAnswer(this::suspect);
    }

    /**
     * Opens the API socket, mode 0600.
     *
     * @param gate asked about requests before the Engine sees them, on the dialer's loop
     * @param listener hears of each change of state, on the dialer's loop
     * @return fails with BindException, which has a text for the user, if the path is taken
     */
    public static Future<Engine> open(
            Path apiSocket, EngineDialer dialer, EngineLimits limits, ApiGate gate, Consumer<EngineState> listener) {
        Promise<Engine> promise = dialer.loop().newPromise();
        ApiSocket.open(dialer, apiSocket, limits, gate).addListener((Future<ApiSocket> opened) -> {
            if (opened.isSuccess()) {
                promise.setSuccess(new Engine(dialer, opened.getNow(), limits, listener));
            } else {
                promise.setFailure(opened.cause());
            }
        });
        return promise;
    }

    /**
     * Begins to probe, from when the guest is being booted.
     *
     * @return completes when the Engine has answered for the first time, however long that takes; cancelled by {@link #close}
     */
    public Future<EngineFacts> watch() {
        loop.execute(() -> {
            if (!watching && !closed) {
                watching = true;
                watches++;
                if (state instanceof EngineState.Down) {
                    become(new EngineState.Starting());
                }
                poll();
            }
        });
        return ready;
    }

    public EngineState state() {
        return state;
    }

    /** Connections to the API socket, as of the last probe. */
    public int connections() {
        return connections;
    }

    /** Why the last probe had no answer, for whoever gave up waiting. */
    public String lastProblem() {
        return lastProblem;
    }

    /**
     * Has callers wait from now on, and nothing probed until {@link #watch}, if nobody uses the Engine: there was no request since the
     * last call of this method, and none waits for its answer, but for those who follow its events. Connections are closed.
     *
     * @return whether it is so
     */
    public Future<Boolean> pause() {
        return loop.submit(() -> {
            long before = requestsAtPause;
            requestsAtPause = socket.requests();
            if (closed || !(state instanceof EngineState.Ready) || socket.isBusy() || before != requestsAtPause) {
                return false;
            }
            watching = false;
            cancelNext();
            become(new EngineState.Starting());
            socket.hangUp();
            return true;
        });
    }

    /** The guest stops or is gone: callers are told {@code reason} from now on, and nothing is probed. */
    public void down(String reason) {
        loop.execute(() -> {
            watching = false;
            cancelNext();
            become(new EngineState.Down(reason));
        });
    }

    /** Closes the socket and all connections. Idempotent. */
    public Future<?> close() {
        return loop.submit(() -> {
            closed = true;
            watching = false;
            cancelNext();
            ready.cancel(false);
            socket.close();
        });
    }

    private void poll() {
        next = null;
        connections = socket.connections();
        int mine = watches;
        probe.probe(limits.probeTimeout()).addListener((Future<EngineFacts> probed) -> {
            if (!watching || mine != watches) {
                return;
            }
            if (probed.isSuccess()) {
                onAnswer(probed.getNow());
            } else {
                onMiss(probed.cause());
            }
            Duration pause =
                    state instanceof EngineState.Ready && misses == 0 ? limits.pollReady() : limits.pollStarting();
            next = loop.schedule(this::poll, pause.toNanos(), TimeUnit.NANOSECONDS);
        });
    }

    /** A ready Engine has ended a connection without an answer: whether it is gone is found out now, not at the next poll. */
    private void suspect() {
        if (next != null && misses == 0 && state instanceof EngineState.Ready) {
            cancelNext();
            poll();
        }
    }

    private void onAnswer(EngineFacts facts) {
        misses = 0;
        lastProblem = "";
        if (!state.equals(new EngineState.Ready(facts))) {
            become(new EngineState.Ready(facts));
        }
        ready.trySuccess(facts);
    }

    private void onMiss(@Nullable Throwable cause) {
        lastProblem = String.valueOf(cause == null ? null : cause.getMessage());
        misses++;
        if (state instanceof EngineState.Ready && misses >= limits.misses()) {
            LOG.warn("the Docker Engine does not answer any more: {}", lastProblem);
            become(new EngineState.Starting());
        }
    }

    private void become(EngineState now) {
        LOG.info("the Docker Engine: {}", now);
        state = now;
        socket.become(now);
        listener.accept(now);
    }

    private void cancelNext() {
        ScheduledFuture<?> scheduled = next;
        next = null;
        if (scheduled != null) {
            scheduled.cancel(false);
        }
    }
}
