package dev.longshore.engine.names;

import dev.longshore.engine.EngineDialer;
import dev.longshore.engine.client.EngineClient;
import dev.longshore.packet.wire.IpAddress;
import dev.longshore.vpnkit.flow.ContainerDirectory;
import dev.longshore.vpnkit.flow.ContainerIdentity;
import io.netty.channel.EventLoop;
import io.netty.util.concurrent.Future;
import io.netty.util.concurrent.Promise;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/**
 * Which container has which address. Thread-safe: {@link #of}, {@link #ask} may be called from any thread, readers see an
 * immutable map; the rest is confined to the Engine's loop.
 *
 * <p>Theory of operation. Whoever follows the Engine's events tells what it inspects. Between a container's first packet and
 * that there is a gap of some tens of milliseconds, so {@link #ask} has the Engine list its containers: one list at a time for all
 * who ask, and again while somebody waits, since the Engine itself lists a container only when its process runs. An address
 * that nobody was found for is not asked for again for a while; and after some lists without news the next ones come slowly,
 * since a container can send from any number of addresses that nobody has.
 *
 * <p>An address passes from one container to the next. A container that is told to have ended has none any more, at once; it is
 * remembered, as the last resort of {@link #ask}, until another one has the address or {@link Patience#remembered} has passed.
 */
public final class ContainerNames implements ContainerDirectory {
    private static final int MAX_WAITING = 16_384;
    private static final int MAX_STRANGERS = 4096;
    private static final int MAX_REMEMBERED = 4096;

    /** Lists without news in a row that one who asks gets, {@link Patience#again} apart. */
    private static final int FRUITLESS = 10;

    private static final int SLOWER = 10;

    private final EventLoop loop;
    private final Supplier<Future<JsonNode>> lister;
    private final Patience patience;
    private volatile View view = new View(Map.of(), 0); // written by the loop, read by anyone

    /** By id, the one told of last at the end. */
    private final Map<String, NamedContainer> containers = new LinkedHashMap<>();

    /** By id: what swarm's tasks reach the world by, which their inspection lacks. */
    private Map<String, Set<IpAddress>> gateways = Map.of();

    private final Map<IpAddress, ContainerIdentity> remembered = new HashMap<>();
    private final Map<IpAddress, Long> strangers = new LinkedHashMap<>();
    private final List<Asking> waiting = new ArrayList<>();
    private boolean following;
    private boolean listing;
    private int fruitless;

    /** Since the list that is on its way was asked for. */
    private final Set<String> endedMeanwhile = new HashSet<>();

    /**
     * How long what is waited for. Immutable; milliseconds.
     *
     * @param remembered a container that has ended, by those who ask
     * @param answer to {@link #ask} at most
     * @param again between two lists
     * @param stranger before an address is asked for again
     */
    record Patience(long remembered, long answer, long again, long stranger) {
        static final Patience DEFAULT = new Patience(30_000, 900, 100, 2000);
    }

    /** What readers see. Immutable. */
    private record View(Map<IpAddress, ContainerIdentity> known, long generation) {}

    /** Somebody who asked. */
    private record Asking(IpAddress address, long deadline, Promise<Optional<ContainerIdentity>> answer) {}

    /** @param dialer opens streams to the Engine that events are told of */
    public ContainerNames(EngineDialer dialer) {
        this(dialer.loop(), new EngineClient(dialer)::containers, Patience.DEFAULT);
    }

    /**
     * @param loop of the Engine's streams
     * @param lister the answer to {@code GET /containers/json}; called on the loop, completes there
     */
    ContainerNames(EventLoop loop, Supplier<Future<JsonNode>> lister, Patience patience) {
        this.loop = loop;
        this.lister = lister;
        this.patience = patience;
    }

    @Override
    public @Nullable ContainerIdentity of(IpAddress address) {
        return view.known.get(address);
    }

    @Override
    public long generation() {
        return view.generation;
    }

    @Override
    public Collection<ContainerIdentity> all() {
        return Set.copyOf(view.known.values());
    }

    @Override
    public Future<Optional<ContainerIdentity>> ask(IpAddress address, EventLoop on) {
        ContainerIdentity now = of(address);
        if (now != null) {
            return on.newSucceededFuture(Optional.of(now));
        }
        Promise<Optional<ContainerIdentity>> answer = on.newPromise();
        try {
            loop.execute(() -> wait(address, answer));
        } catch (RejectedExecutionException e) {
            answer.setSuccess(Optional.empty()); // the loop has ended with the guest
        }
        return answer;
    }

    // ---- what is told, on the loop

    /** The Engine answers, and its events will be told. */
    public void begin() {
        assert loop.inEventLoop();
        following = true;
    }

    /** There is no Engine any more, nor its containers. */
    public void end() {
        assert loop.inEventLoop();
        following = false;
        containers.clear();
        gateways = Map.of();
        remembered.clear();
        strangers.clear();
        publish();
        giveUp(true);
    }

    /** The answer to {@code GET /containers/json}: all that run. Those that are not in it have ended. */
    public void onList(JsonNode list) {
        assert loop.inEventLoop();
        Set<String> ids = new HashSet<>();
        for (JsonNode one : list) {
            NamedContainer container = NamedContainer.ofListed(one);
            if (container != null) {
                ids.add(container.identity().id());
                put(container);
            }
        }
        for (String id : List.copyOf(containers.keySet())) {
            if (!ids.contains(id)) {
                remove(id);
            }
        }
        publish();
    }

    /** The answer to {@code GET /containers/{id}/json}. */
    public void onInspected(String id, JsonNode json) {
        assert loop.inEventLoop();
        NamedContainer container = NamedContainer.ofInspection(json);
        if (container == null) {
            remove(id);
        } else {
            put(container);
        }
        publish();
    }

    /** It has ended, or left a network: its addresses may be another's already. An inspection may bring it back. */
    public void onEnded(String id) {
        assert loop.inEventLoop();
        remove(id);
        publish();
    }

    /** The answer to {@code GET /networks/docker_gwbridge}: by which address each container of an overlay network leaves the guest. */
    public void onGateways(JsonNode network) {
        assert loop.inEventLoop();
        Map<String, Set<IpAddress>> found = new HashMap<>();
        network.path("Containers").properties().forEach(c -> {
            Set<IpAddress> addresses = new HashSet<>();
            for (String field : new String[] {"IPv4Address", "IPv6Address"}) {
                IpAddress address =
                        NamedContainer.address(c.getValue().path(field).asString(""));
                if (address != null) {
                    addresses.add(address);
                }
            }
            found.put(c.getKey(), addresses);
        });
        gateways = found;
        publish();
    }

    private void put(NamedContainer container) {
        String id = container.identity().id();
        containers.remove(id);
        containers.put(id, container);
    }

    private void remove(String id) {
        if (listing) {
            endedMeanwhile.add(id);
        }
        NamedContainer had = containers.remove(id);
        if (had == null) {
            return;
        }
        Set<IpAddress> addresses = new HashSet<>(had.addresses());
        addresses.addAll(gateways.getOrDefault(id, Set.of()));
        for (IpAddress address : addresses) {
            if (remembered.size() < MAX_REMEMBERED) {
                remembered.put(address, had.identity());
                loop.schedule(
                        () -> remembered.remove(address, had.identity()), patience.remembered, TimeUnit.MILLISECONDS);
            }
        }
    }

    private void publish() {
        Map<IpAddress, ContainerIdentity> now = new HashMap<>();
        containers.forEach((id, c) -> {
            c.addresses().forEach(a -> now.put(a, c.identity()));
            gateways.getOrDefault(id, Set.of()).forEach(a -> now.put(a, c.identity()));
        });
        View before = view;
        if (before.known.equals(now)) {
            return;
        }
        view = new View(Map.copyOf(now), before.generation + 1);
        remembered.keySet().removeAll(now.keySet());
        strangers.clear(); // somebody has come or gone
        fruitless = 0;
        answerWhatIsKnown();
    }

    // ---- who asks, on the loop

    private void wait(IpAddress address, Promise<Optional<ContainerIdentity>> answer) {
        ContainerIdentity now = of(address);
        if (now != null) {
            answer.setSuccess(Optional.of(now));
        } else if (!following || waiting.size() >= MAX_WAITING || isStranger(address)) {
            answer.setSuccess(Optional.ofNullable(remembered.get(address)));
        } else {
            long deadline = loop.ticker().nanoTime() + TimeUnit.MILLISECONDS.toNanos(patience.answer);
            waiting.add(new Asking(address, deadline, answer));
            if (waiting.size() == 1) {
                loop.schedule(() -> giveUp(false), patience.answer, TimeUnit.MILLISECONDS);
            }
            list();
        }
    }

    private boolean isStranger(IpAddress address) {
        Long until = strangers.get(address);
        return until != null && until - loop.ticker().nanoTime() > 0;
    }

    private void list() {
        if (listing || waiting.isEmpty()) {
            return;
        }
        listing = true;
        endedMeanwhile.clear();
        fruitless = Math.min(fruitless + 1, FRUITLESS);
        lister.get().addListener((Future<JsonNode> f) -> {
            if (f.isSuccess() && following) {
                learn(f.getNow());
            }
            loop.schedule(
                    () -> {
                        listing = false;
                        list();
                    },
                    fruitless < FRUITLESS ? patience.again : SLOWER * patience.again,
                    TimeUnit.MILLISECONDS);
        });
    }

    /** What is known already was looked at more closely; and what has ended meanwhile may be in the list still. */
    private void learn(JsonNode list) {
        boolean news = false;
        for (JsonNode one : list) {
            NamedContainer container = NamedContainer.ofListed(one);
            String id = container == null ? "" : container.identity().id();
            if (container != null && !containers.containsKey(id) && !endedMeanwhile.contains(id)) {
                put(container);
                news = true;
            }
        }
        if (news) {
            publish();
        }
    }

    private void answerWhatIsKnown() {
        waiting.removeIf(w -> {
            ContainerIdentity now = of(w.address);
            return now != null && answered(w, Optional.of(now));
        });
    }

    private static boolean answered(Asking w, Optional<ContainerIdentity> answer) {
        w.answer.setSuccess(answer);
        return true;
    }

    /** {@code all}, or those who have waited long enough; the rest is looked at again when its time has come. */
    private void giveUp(boolean all) {
        long now = loop.ticker().nanoTime();
        waiting.removeIf(w -> {
            if (!all && w.deadline - now > 0) {
                return false;
            }
            ContainerIdentity last = remembered.get(w.address);
            if (last == null && !all) {
                keepAsStranger(w.address, now);
            }
            return answered(w, Optional.ofNullable(last));
        });
        if (!waiting.isEmpty()) {
            loop.schedule(() -> giveUp(false), waiting.getFirst().deadline - now, TimeUnit.NANOSECONDS);
        }
    }

    private void keepAsStranger(IpAddress address, long now) {
        if (strangers.size() >= MAX_STRANGERS) {
            strangers.remove(strangers.keySet().iterator().next());
        }
        strangers.put(address, now + TimeUnit.MILLISECONDS.toNanos(patience.stranger));
    }
}
