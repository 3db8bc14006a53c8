package dev.longshore.engine.ports;

import dev.longshore.engine.EngineDialer;
import dev.longshore.engine.EngineState;
import dev.longshore.engine.client.EngineClient;
import dev.longshore.engine.mounts.ContainerMounts;
import dev.longshore.engine.names.ContainerNames;
import dev.longshore.packet.wire.IpAddress;
import dev.longshore.portforward.ExposeResult;
import dev.longshore.portforward.Owner;
import dev.longshore.portforward.PortSnapshot;
import dev.longshore.portforward.PortTable;
import io.netty.channel.EventLoop;
import io.netty.util.concurrent.Future;
import io.netty.util.concurrent.ScheduledFuture;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import tools.jackson.databind.JsonNode;

/**
 * Follows the Engine's events and inspects what they are about, so that the host's listeners are what the Engine says is
 * published. Thread-safe: {@link #onEngine}, {@link #onPortsChanged} and {@link #close} may be called from any thread and hand
 * themselves to the dialer's loop, to which the rest is confined.
 *
 * <p>Theory of operation. Events only say where to look. While a stream of them is open, and everything was looked at since it
 * opened, the picture is current, and each change of it, or of the {@link PortTable}, leads to one comparison by
 * {@link Reconciliation}. When the stream ends, because the Engine died or is restarted, nothing is changed until the next stream
 * is open and everything has been looked at anew: what the picture lacks then is gone. Nothing is polled.
 */
public final class PortReconciler {
    /** What changes ports; everything else that happens to a container, exec or health for instance, does not. */
    private static final Set<String> ACTIONS = Set.of(
            "start",
            "die",
            "stop",
            "kill",
            "destroy",
            "restart",
            "pause",
            "unpause",
            "rename",
            "connect",
            "disconnect");

    /** After these a container's addresses may be another's. */
    private static final Set<String> ENDINGS = Set.of("die", "destroy");

    private static final String EVENTS = "/events?filters="
            + URLEncoder.encode("{\"type\":[\"container\",\"network\",\"service\",\"node\"]}", StandardCharsets.UTF_8);

    private static final Logger LOG = LoggerFactory.getLogger(PortReconciler.class);
    private static final long GATHER_MILLIS = 50;
    private static final long RECONNECT_MILLIS = 250;
    private static final long NUMBERS_MILLIS = 1000;
    private static final long SETTLED_MILLIS = 3000;

    private final EventLoop loop;
    private final EngineClient client;
    private final PortTable ports;
    private final ContainerNames names;
    private final ContainerMounts mounts;
    private final IpAddress guest;
    private final Consumer<String> notices;
    private final Consumer<Boolean> hostNetwork;
    private final Reconciliation reconciliation;

    private final Map<String, Container> containers = new LinkedHashMap<>();
    private final Set<String> dirty = new LinkedHashSet<>();
    private final Map<Wanted, String> failures = new LinkedHashMap<>();
    private SwarmPorts swarm = SwarmPorts.NONE;
    private boolean swarmDirty;
    private boolean managesSwarm; // and has not been asked for its services yet
    private boolean inSwarm;
    private boolean gatewaysDirty;
    private boolean following;
    private boolean synced;
    private boolean asking;
    private boolean comparing;
    private boolean again;
    private boolean usesHostNetwork;
    private int generation;

    /** What is being inspected, or "", and whether it has ended since the Engine was asked. */
    private String inspecting = "";

    private boolean overtaken;
    private @Nullable Future<?> stream;
    private @Nullable ScheduledFuture<?> pump;
    private @Nullable ScheduledFuture<?> look;
    private @Nullable ScheduledFuture<?> swarmLook;
    private volatile List<String> problems = List.of(); // written by the loop, read by status

    /**
     * @param names is told what the Engine tells of containers
     * @param mounts the same
     * @param guest the guest's own address, where ports of swarm services are
     * @param notices for the user, on the loop
     * @param hostNetwork hears whether some container runs in the guest's own network, at each change, on the loop
     */
    public PortReconciler(
            EngineDialer dialer,
            PortTable ports,
            ContainerNames names,
            ContainerMounts mounts,
            IpAddress guest,
            Consumer<String> notices,
            Consumer<Boolean> hostNetwork) {
        this(dialer, ports, names, mounts, guest, notices, hostNetwork, Patience.DEFAULT);
    }

    PortReconciler(
            EngineDialer dialer,
            PortTable ports,
            ContainerNames names,
            ContainerMounts mounts,
            IpAddress guest,
            Consumer<String> notices,
            Consumer<Boolean> hostNetwork,
            Patience patience) {
        this.loop = dialer.loop();
        this.client = new EngineClient(dialer);
        this.ports = ports;
        this.names = names;
        this.mounts = mounts;
        this.guest = guest;
        this.notices = notices;
        this.hostNetwork = hostNetwork;
        this.reconciliation = new Reconciliation(patience);
    }

    /** The Engine's state has changed. */
    public void onEngine(EngineState state) {
        onLoop(() -> {
            switch (state) {
                case EngineState.Ready _ -> follow();
                case EngineState.Starting _ -> {} // its streams end by themselves
                case EngineState.Down _ -> stop();
            }
        });
    }

    /** A port was bound or released. */
    public void onPortsChanged() {
        onLoop(this::compareSoon);
    }

    public void close() {
        onLoop(this::stop);
    }

    /** Published ports that can't be bound now, for the user; any thread. */
    public List<String> problems() {
        return problems;
    }

    /** Nothing is left to do once the loop has ended. */
    private void onLoop(Runnable task) {
        try {
            loop.execute(task);
        } catch (RejectedExecutionException e) {
            LOG.debug("the Engine's loop has ended");
        }
    }

    // ---- the stream

    private void follow() {
        if (!following) {
            following = true;
            names.begin();
            openStream();
        }
    }

    private void stop() {
        following = false;
        synced = false;
        generation++;
        Future<?> open = stream;
        stream = null;
        if (open != null) {
            open.cancel(false);
        }
        containers.clear();
        names.end();
        mounts.end();
        swarm = SwarmPorts.NONE;
        failures.clear();
        problems = List.of();
        tellHostNetwork();
    }

    private void openStream() {
        if (!following) {
            return;
        }
        int mine = ++generation;
        stream = client.events(EVENTS, new EngineClient.EventListener() {
            @Override
            public void onOpen() {
                if (mine == generation) {
                    lookAtAll(mine);
                }
            }

            @Override
            public void onEvent(JsonNode event) {
                if (mine == generation) {
                    take(event);
                }
            }

            @Override
            public void onEnd() {
                if (mine == generation) {
                    synced = false;
                    loop.schedule(PortReconciler.this::openStream, RECONNECT_MILLIS, TimeUnit.MILLISECONDS);
                }
            }
        });
    }

    private void take(JsonNode event) {
        if (!swarm.wanted().isEmpty()) {
            lookAtSwarmTwice(); // the Engine tells of no end of a swarm, but of its containers' and networks'
        }
        String action = event.path("Action").asString("");
        JsonNode actor = event.path("Actor");
        switch (event.path("Type").asString("")) {
            case "container" -> {
                if (ACTIONS.contains(action)) {
                    markDirty(actor.path("ID").asString(""), action);
                }
            }
            case "network" -> {
                if (ACTIONS.contains(action)) {
                    markDirty(actor.path("Attributes").path("container").asString(""), action);
                }
            }
            case "service", "node" -> {
                swarmDirty = true;
                pumpSoon();
            }
            default -> {}
        }
    }

    /** Now, and when whatever has begun is over. */
    private void lookAtSwarmTwice() {
        swarmDirty = true;
        pumpSoon();
        if (swarmLook == null) {
            swarmLook = loop.schedule(
                    () -> {
                        swarmLook = null;
                        swarmDirty = true;
                        pumpSoon();
                    },
                    SETTLED_MILLIS,
                    TimeUnit.MILLISECONDS);
        }
    }

    private void markDirty(String id, String action) {
        if (isId(id)) {
            if (ENDINGS.contains(action)) {
                names.onEnded(id);
                mounts.onEnded(id);
                overtaken |= id.equals(inspecting);
            }
            dirty.add(id);
            pumpSoon();
        }
    }

    /** It becomes part of a path. */
    private static boolean isId(String id) {
        return !id.isEmpty() && id.length() <= 128 && id.chars().allMatch(Character::isLetterOrDigit);
    }

    // ---- the picture

    private void lookAtAll(int mine) {
        dirty.clear(); // what events mark from now on may not be in the list yet
        client.get("/containers/json").addListener((Future<EngineClient.Answer> f) -> {
            if (mine != generation) {
                return;
            }
            if (!f.isSuccess() || f.getNow().status() != 200) {
                restartStream();
                return;
            }
            containers.clear();
            names.onList(f.getNow().body());
            mounts.onList(f.getNow().body());
            for (JsonNode c : f.getNow().body()) {
                String id = c.path("Id").asString("");
                if (isId(id)) {
                    dirty.add(id);
                }
            }
            swarmDirty = true;
            synced = true; // once nothing is dirty any more
            ask();
        });
    }

    /** What has been seen can't be trusted to be all. */
    private void restartStream() {
        Future<?> open = stream;
        if (open != null) {
            open.cancel(false);
        }
    }

    private void pumpSoon() {
        if (pump == null) {
            pump = loop.schedule(
                    () -> {
                        pump = null;
                        ask();
                    },
                    GATHER_MILLIS,
                    TimeUnit.MILLISECONDS);
        }
    }

    /** One question at a time, until the picture is complete. */
    private void ask() {
        if (asking || !synced) {
            return;
        }
        if (!dirty.isEmpty()) {
            String id = dirty.iterator().next();
            dirty.remove(id);
            inspecting = id;
            overtaken = false;
            ask("/containers/" + id + "/json", answer -> onContainer(id, answer));
        } else if (swarmDirty) {
            swarmDirty = false;
            ask("/info", this::onInfo);
        } else if (managesSwarm) {
            managesSwarm = false;
            ask("/services", this::onServices);
        } else if (gatewaysDirty && inSwarm) {
            gatewaysDirty = false;
            ask("/networks/docker_gwbridge", answer -> names.onGateways(answer.body()));
        } else {
            tellHostNetwork();
            compare();
        }
    }

    private void ask(String path, Consumer<EngineClient.Answer> then) {
        int mine = generation;
        asking = true;
        client.get(path).addListener((Future<EngineClient.Answer> f) -> {
            asking = false;
            if (mine != generation) {
                ask();
            } else if (f.isSuccess()) {
                then.accept(f.getNow());
                ask();
            } else {
                restartStream();
            }
        });
    }

    private void onContainer(String id, EngineClient.Answer answer) {
        if (answer.status() == 200) {
            containers.put(id, Container.of(answer.body()));
            if (!overtaken) { // else it may be an answer of before, and the next one is due anyway
                names.onInspected(id, answer.body());
                mounts.onInspected(id, answer.body());
            }
        } else {
            containers.remove(id);
            names.onEnded(id);
            mounts.onEnded(id);
        }
        inspecting = "";
        gatewaysDirty = true;
    }

    /** Services are asked for where there are some to ask for: the Engine would log the question as an error. */
    private void onInfo(EngineClient.Answer answer) {
        String state = answer.body().path("Swarm").path("LocalNodeState").asString("");
        inSwarm = !state.isEmpty() && !state.equals("inactive");
        managesSwarm = answer.body().path("Swarm").path("ControlAvailable").asBoolean(false);
        if (!managesSwarm) {
            swarm = SwarmPorts.NONE;
        }
    }

    private void onServices(EngineClient.Answer answer) {
        swarm = answer.status() == 200 ? SwarmPorts.of(answer.body(), guest) : SwarmPorts.NONE;
        if (!swarm.complete()) {
            loop.schedule(
                    () -> {
                        swarmDirty = true;
                        pumpSoon();
                    },
                    NUMBERS_MILLIS,
                    TimeUnit.MILLISECONDS);
        }
    }

    private void tellHostNetwork() {
        boolean now = containers.values().stream().anyMatch(c -> c.running() && c.hostNetwork());
        if (now != usesHostNetwork) {
            usesHostNetwork = now;
            hostNetwork.accept(now);
        }
    }

    // ---- the comparison

    private void compareSoon() {
        lookAgain(TimeUnit.MILLISECONDS.toNanos(GATHER_MILLIS));
    }

    private boolean isCurrent() {
        return synced && !asking && dirty.isEmpty() && !swarmDirty && !managesSwarm;
    }

    private void compare() {
        if (!isCurrent()) {
            return; // when it is, it is compared
        }
        if (comparing) {
            again = true;
            return;
        }
        comparing = true;
        ports.list()
                .whenComplete((bound, failure) -> onLoop(() -> {
                    comparing = false;
                    if (failure == null && isCurrent()) {
                        mend(bound);
                    }
                    if (again) {
                        again = false;
                        compareSoon();
                    }
                }));
    }

    private void mend(List<PortSnapshot> bound) {
        List<Wanted> wanted = new ArrayList<>();
        containers.values().forEach(c -> wanted.addAll(c.wanted()));
        wanted.addAll(swarm.wanted());
        List<Reconciliation.Step> steps = reconciliation.look(System.nanoTime(), wanted, bound);
        steps.forEach(this::perform);
        if (failures.keySet().retainAll(Set.copyOf(wanted))) {
            problems = List.copyOf(failures.values());
        }
        if (reconciliation.nextLook() != Long.MAX_VALUE) {
            lookAgain(reconciliation.nextLook());
        }
    }

    private void lookAgain(long nanos) {
        ScheduledFuture<?> pending = look;
        if (pending != null) {
            if (pending.getDelay(TimeUnit.NANOSECONDS) <= nanos) {
                return;
            }
            pending.cancel(false);
        }
        look = loop.schedule(
                () -> {
                    look = null;
                    compare();
                },
                nanos,
                TimeUnit.NANOSECONDS);
    }

    private void perform(Reconciliation.Step step) {
        switch (step) {
            case Reconciliation.Step.Release r -> ports.release(r.id());
            case Reconciliation.Step.Dismiss d -> {
                LOG.warn("{}", d.text());
                ports.dismiss(d.id());
            }
            case Reconciliation.Step.Bind b ->
                ports.expose(b.wanted().forward(), Owner.ENGINE_STATE)
                        .whenComplete((result, failure) -> onLoop(() -> onBound(b.wanted(), result)));
        }
    }

    private void onBound(Wanted wanted, @Nullable ExposeResult result) {
        switch (result) {
            case null -> {} // the network has ended
            case ExposeResult.Exposed _ -> {
                if (failures.remove(wanted) != null) {
                    problems = List.copyOf(failures.values());
                }
            }
            case ExposeResult.Refused r -> {
                String text = wanted.who() + ": " + r.message();
                String before = failures.put(wanted, text);
                problems = List.copyOf(failures.values());
                if (!text.equals(before)) {
                    LOG.warn("{}", text);
                    notices.accept(text);
                }
            }
        }
    }
}
