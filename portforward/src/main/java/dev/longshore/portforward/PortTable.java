package dev.longshore.portforward;

import dev.longshore.portforward.ExposeResult.Exposed;
import dev.longshore.portforward.ExposeResult.Reason;
import dev.longshore.portforward.ExposeResult.Refused;
import dev.longshore.vpnkit.count.Counters;
import dev.longshore.vpnkit.flow.GuestConnector;
import io.netty.channel.EventLoop;
import io.netty.util.concurrent.Future;
import io.netty.util.concurrent.Promise;
import io.netty.util.concurrent.PromiseCombiner;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.RejectedExecutionException;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The published ports and their listeners: what {@code docker run -p} and {@code longshore ports expose} make. Confined to
 * the link's event loop, except for the methods that return a {@link CompletableFuture}: those are for any thread, and send
 * a {@link PortCommand} to the loop.
 *
 * <p>Invariants, checked after each change:
 *
 * <ul>
 *   <li>no two ports hold the same host endpoint, port 0 while binding excepted;
 *   <li>every port is where the policy of now puts it, or nowhere;
 *   <li>no port in the table is released, and each port that was exposed is released once, by {@link #close}.
 * </ul>
 */
public final class PortTable {
    private static final Logger log = LoggerFactory.getLogger(PortTable.class);

    private final EventLoop loop;
    private final int limit;
    private final ListenerFactory listeners;
    private final PortWatcher watcher;
    private final Counters<PortCounter> counters;
    private final Map<Long, PublishedPort> ports = new LinkedHashMap<>();
    private BindPolicy policy;
    private long lastId;
    private boolean closed;

    /**
     * @param limit ports at a time, those being opened included; what comes after is refused
     */
    public PortTable(GuestConnector guest, BindPolicy policy, int limit, UdpLimits udpLimits, PortWatcher watcher) {
        this(guest, policy, limit, udpLimits, watcher, new Counters<>(PortCounter.class));
    }

    private PortTable(
            GuestConnector guest,
            BindPolicy policy,
            int limit,
            UdpLimits udpLimits,
            PortWatcher watcher,
            Counters<PortCounter> counters) {
        this(guest.loop(), policy, limit, new HostListeners(guest, udpLimits, counters), watcher, counters);
    }

    PortTable(EventLoop loop, BindPolicy policy, int limit, ListenerFactory listeners, PortWatcher watcher) {
        this(loop, policy, limit, listeners, watcher, new Counters<>(PortCounter.class));
    }

    private PortTable(
            EventLoop loop,
            BindPolicy policy,
            int limit,
            ListenerFactory listeners,
            PortWatcher watcher,
            Counters<PortCounter> counters) {
        this.counters = counters;
        this.loop = loop;
        this.policy = policy;
        this.limit = limit;
        this.listeners = listeners;
        this.watcher = watcher;
    }

    // ---- for any thread ----

    /** What all ports have counted. */
    public List<Counters.Reading> readings() {
        return counters.readings();
    }

    /** Binds a port; see {@link ExposeResult}. */
    public CompletableFuture<ExposeResult> expose(Forward forward, Owner owner) {
        return expose(forward, owner, () -> {});
    }

    /** @param onDismissed called on the loop if {@link #dismiss} takes the port away */
    CompletableFuture<ExposeResult> expose(Forward forward, Owner owner, Runnable onDismissed) {
        return submit(reply -> new PortCommand.Expose(forward, owner, onDismissed, reply));
    }

    /** Releases a port by its id. False if it is gone already: idempotent. */
    public CompletableFuture<Boolean> release(long id) {
        return submit(reply -> new PortCommand.Release(id, reply));
    }

    /** Releases a port against its owner's will, who is told not to ask for it again. False if it is gone already. */
    public CompletableFuture<Boolean> dismiss(long id) {
        return submit(reply -> new PortCommand.Dismiss(id, reply));
    }

    /** Releases what {@link Owner.Kind#CONTROL} exposed; {@code host} is what was bound, or what was asked for. */
    public CompletableFuture<UnexposeResult> unexpose(HostEndpoint host) {
        return submit(reply -> new PortCommand.Unexpose(host, reply));
    }

    /** In the order of their exposure; ports that are still being bound are not among them. */
    public CompletableFuture<List<PortSnapshot>> list() {
        return submit(PortCommand.ListPorts::new);
    }

    /**
     * From now on ports are bound as this policy says, those that are there included: a port whose place is another one now
     * is unbound, its connections are reset, and it is bound anew. One that can't be stays in the table, unbound, with a
     * note. Completes when all of them are bound, or can't be. Gives the number of ports that had to move; idempotent.
     */
    public CompletableFuture<Integer> place(BindPolicy newPolicy) {
        return submit(reply -> new PortCommand.Place(newPolicy, reply));
    }

    /**
     * The leases of all containers become {@link Owner.Kind#ENGINE}'s: they outlive the end of their docker-proxies, for an Engine that is
     * restarted under its containers, and are handed to the next ones. Gives their number.
     */
    public CompletableFuture<Integer> keep() {
        return submit(PortCommand.Keep::new);
    }

    /** Releases everything and refuses what comes after. Gives the number released. */
    public CompletableFuture<Integer> closeAll() {
        return submit(PortCommand.CloseAll::new);
    }

    private <T> CompletableFuture<T> submit(Function<CompletableFuture<T>, PortCommand> command) {
        CompletableFuture<T> reply = new CompletableFuture<>();
        PortCommand c = command.apply(reply);
        if (loop.inEventLoop()) {
            run(c);
            return reply;
        }
        try {
            loop.execute(() -> run(c));
        } catch (RejectedExecutionException e) {
            reply.completeExceptionally(new IllegalStateException("the network is stopped", e));
        }
        return reply;
    }

    // ---- on the loop ----

    private void run(PortCommand command) {
        try {
            dispatch(command);
            assert checkInvariants();
        } catch (RuntimeException e) {
            log.error("{}", command, e);
            command.reply().completeExceptionally(e);
        }
    }

    private void dispatch(PortCommand command) {
        switch (command) {
            case PortCommand.Expose c ->
                doExpose(c.forward(), c.owner(), c.onDismissed()).addListener((Future<ExposeResult> f) -> {
                    if (f.isSuccess()) {
                        c.reply().complete(f.getNow());
                    } else {
                        c.reply().completeExceptionally(f.cause());
                    }
                });
            case PortCommand.Release c -> c.reply().complete(doRelease(c.id()));
            case PortCommand.Dismiss c -> c.reply().complete(doDismiss(c.id()));
            case PortCommand.Unexpose c -> c.reply().complete(doUnexpose(c.host()));
            case PortCommand.ListPorts c -> c.reply().complete(snapshots());
            case PortCommand.Place c -> doPlace(c.policy(), c.reply());
            case PortCommand.Keep c -> c.reply().complete(doKeep());
            case PortCommand.CloseAll c -> c.reply().complete(doCloseAll());
        }
    }

    private Future<ExposeResult> doExpose(Forward requested, Owner owner, Runnable onDismissed) {
        assert loop.inEventLoop();
        BindPolicy.Place place = policy.place(requested.host());
        if (closed) {
            return loop.newSucceededFuture(cancelled());
        }
        if (owner.kind() != Owner.Kind.ENGINE) {
            PublishedPort inherited = makeRoom(requested, place.host());
            if (inherited != null) {
                inherited.owner = owner;
                inherited.onDismissed = onDismissed;
                return inherited.result;
            }
        }
        Optional<PublishedPort> holder = ports.values().stream()
                .filter(p -> p.holds(place.host()) || isSameWish(p, requested, owner))
                .findFirst();
        if (holder.isPresent()) {
            return again(holder.get(), requested, owner, place.host());
        }
        if (place instanceof BindPolicy.NotAllowed(HostEndpoint host)) {
            return loop.newSucceededFuture(BindFailure.notAllowed(policy).refusal(host));
        }
        if (ports.size() >= limit) {
            return loop.newSucceededFuture(BindFailure.tooMany(limit).refusal(place.host()));
        }
        PublishedPort port =
                new PublishedPort(++lastId, requested, place, owner, onDismissed, new Traffic(), loop.newPromise());
        ports.put(port.id, port);
        open(port);
        return port.result;
    }

    /**
     * {@link Owner.Kind#ENGINE} gives way: what leads to the same place is handed over with its connections, and returned; what
     * is in the way is released.
     */
    private @Nullable PublishedPort makeRoom(Forward requested, HostEndpoint host) {
        for (PublishedPort p : List.copyOf(ports.values())) {
            if (p.owner.kind() != Owner.Kind.ENGINE) {
                continue;
            }
            if (p.requested.equals(requested)) {
                return p;
            }
            if (p.isInTheWayOf(host)) {
                close(p);
            }
        }
        return null;
    }

    /** A wish that is in the table though nothing is bound for it. */
    private static boolean isSameWish(PublishedPort port, Forward requested, Owner owner) {
        return port.listener == null && port.owner.equals(owner) && port.requested.equals(requested);
    }

    /** Somebody has it: the same owner, with the same wish, or it is taken. */
    private Future<ExposeResult> again(PublishedPort holder, Forward requested, Owner owner, HostEndpoint host) {
        return holder.owner.equals(owner) && holder.requested.equals(requested)
                ? holder.result
                : loop.newSucceededFuture(BindFailure.IN_USE.refusal(host));
    }

    /** Binds at the port's place; nobody else holds it. Done when that has succeeded or failed, never fails itself. */
    private Future<?> open(PublishedPort port) {
        port.host = port.place.host();
        if (port.place instanceof BindPolicy.Nowhere) {
            become(port, port.host, "vpnKitAllowedBindAddresses does not allow it, so nothing listens there");
            return loop.newSucceededFuture(null);
        }
        HostListener listener = listeners.create(port.requested.withHost(port.host), port.traffic);
        port.listener = listener;
        Promise<@Nullable Void> done = loop.newPromise();
        listener.open().addListener((Future<HostEndpoint> f) -> {
            onOpened(port, listener, f);
            done.setSuccess(null);
        });
        return done;
    }

    private void onOpened(PublishedPort port, HostListener listener, Future<HostEndpoint> opened) {
        if (port.released) {
            port.result.trySuccess(cancelled());
            return;
        }
        if (!listener.equals(port.listener)) {
            return; // moved meanwhile, and another one opens
        }
        if (opened.isSuccess()) {
            become(port, opened.getNow(), "");
            return;
        }
        BindFailure failure = BindFailure.of(opened.cause());
        if (isAnyIpv6(port.requested.host()) && failure.meansNoAddressOfFamily()) {
            become(port, port.host, "this host has no IPv6, so nothing listens there");
        } else if (port.open) {
            notMoved(port, failure);
        } else {
            ports.remove(port.id);
            port.released = true;
            listener.close();
            port.result.setSuccess(failure.refusal(port.host));
        }
    }

    // ---- another policy

    private void doPlace(BindPolicy newPolicy, CompletableFuture<Integer> reply) {
        policy = newPolicy;
        List<PublishedPort> moving = ports.values().stream()
                .filter(p -> p.isStuck() || !p.place.equals(policy.place(p.wish())))
                .toList();
        moving.forEach(this::unbind); // all of them first: one may go where another one was
        PromiseCombiner all = new PromiseCombiner(loop);
        moving.forEach(port -> all.add(bindAnew(port)));
        Promise<@Nullable Void> bound = loop.newPromise();
        bound.addListener(done -> reply.complete(moving.size()));
        all.finish(bound);
    }

    private void unbind(PublishedPort port) {
        PortSnapshot last = port.snapshot();
        port.place = policy.place(port.wish());
        HostListener bound = port.listener;
        port.listener = null;
        if (bound != null) {
            bound.close();
            log.info("moving {} to {}", last.text(), port.place.host().text());
        }
        tellReleased(port, last);
    }

    private Future<?> bindAnew(PublishedPort port) {
        boolean taken = ports.values().stream().anyMatch(p -> p.holds(port.place.host()));
        if (port.place instanceof BindPolicy.NotAllowed) {
            refuse(port, BindFailure.notAllowed(policy));
        } else if (taken) {
            refuse(port, BindFailure.IN_USE);
        } else {
            return open(port);
        }
        return loop.newSucceededFuture(null);
    }

    /** Of a port whose wish was answered, or not yet. */
    private void refuse(PublishedPort port, BindFailure failure) {
        port.host = port.place.host();
        if (port.open) {
            notMoved(port, failure);
        } else {
            ports.remove(port.id);
            port.released = true;
            port.result.setSuccess(failure.refusal(port.host));
        }
    }

    /** Its owner has been told that it is bound: it stays, until it is released or another policy finds a place for it. */
    private void notMoved(PublishedPort port, BindFailure failure) {
        HostListener failed = port.listener;
        port.listener = null;
        if (failed != null) {
            failed.close();
        }
        port.note = failure.refusal(port.host).message();
        log.warn("{} is not bound any more: {}", port.requested, port.note);
        watcher.onNotMoved(port.snapshot());
    }

    /** The Engine asks for both families whenever the user names none: a host without IPv6 must not fail that. */
    private static boolean isAnyIpv6(HostEndpoint host) {
        return host instanceof HostEndpoint.Port p
                && p.isWildcard()
                && !p.address().isV4();
    }

    private void become(PublishedPort port, HostEndpoint bound, String note) {
        port.open = true;
        port.host = bound;
        port.place = policy.place(port.wish());
        port.note = note;
        log.info(
                "exposed {} for {}",
                port.requested.withHost(bound),
                port.owner.kind().word());
        port.told = true;
        watcher.onExposed(port.snapshot());
        port.result.trySuccess(new Exposed(port.id, bound, note)); // false for one that has moved
    }

    private boolean doRelease(long id) {
        PublishedPort port = ports.get(id);
        if (port != null) {
            close(port);
        }
        return port != null;
    }

    private boolean doDismiss(long id) {
        PublishedPort port = ports.get(id);
        if (port != null) {
            close(port);
            port.onDismissed.run();
        }
        return port != null;
    }

    private UnexposeResult doUnexpose(HostEndpoint host) {
        List<PublishedPort> found = ports.values().stream()
                .filter(p -> p.open && (p.holds(host) || p.requested.host().equals(host)))
                .toList();
        Optional<PublishedPort> ours =
                found.stream().filter(p -> p.owner.kind() == Owner.Kind.CONTROL).findFirst();
        if (ours.isPresent()) {
            close(ours.get());
            return UnexposeResult.RELEASED;
        }
        return found.isEmpty() ? UnexposeResult.NOT_FOUND : UnexposeResult.OWNED_BY_CONTAINER;
    }

    /** The close path of every port that was opened; idempotent. Once it returns, the host's port is free. */
    private void close(PublishedPort port) {
        assert loop.inEventLoop();
        if (port.released) {
            return;
        }
        port.released = true;
        ports.remove(port.id);
        PortSnapshot last = port.snapshot();
        HostListener bound = port.listener;
        if (bound != null) {
            bound.close();
        }
        if (port.open) {
            log.info("released {}", last.text());
        }
        tellReleased(port, last);
        port.result.trySuccess(cancelled());
    }

    private void tellReleased(PublishedPort port, PortSnapshot last) {
        if (port.told) {
            port.told = false;
            watcher.onReleased(last);
        }
    }

    private int doKeep() {
        int kept = 0;
        for (PublishedPort p : List.copyOf(ports.values())) {
            if (p.open && p.owner.kind() == Owner.Kind.CONTAINER) {
                ports.remove(p.id); // whoever had it will release the id
                p.id = ++lastId;
                p.owner = Owner.ENGINE_STATE;
                p.onDismissed = () -> {};
                p.result = loop.newPromise();
                p.result.setSuccess(new Exposed(p.id, p.host, p.note)); // for the next who asks for it
                ports.put(p.id, p);
                kept++;
            }
        }
        return kept;
    }

    private int doCloseAll() {
        closed = true;
        List<PublishedPort> all = List.copyOf(ports.values());
        all.forEach(this::close);
        return all.size();
    }

    private List<PortSnapshot> snapshots() {
        return ports.values().stream()
                .filter(p -> p.open)
                .map(PublishedPort::snapshot)
                .toList();
    }

    private static Refused cancelled() {
        return new Refused(
                Reason.CANCELLED, "ports are not available: the port was released while it was being opened");
    }

    private boolean checkInvariants() {
        List<PublishedPort> all = List.copyOf(ports.values());
        for (PublishedPort p : all) {
            assert !p.released;
            assert all.stream().filter(q -> q.holds(p.host)).count() <= 1 : p.host;
            assert p.place.equals(policy.place(p.wish())) : p.place;
        }
        return true;
    }
}
