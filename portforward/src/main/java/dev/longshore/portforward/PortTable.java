package dev.longshore.portforward;

import dev.longshore.config.PortBinding;
import dev.longshore.portforward.ExposeResult.Exposed;
import dev.longshore.portforward.ExposeResult.Reason;
import dev.longshore.portforward.ExposeResult.Refused;
import dev.longshore.vpnkit.flow.GuestConnector;
import io.netty.channel.EventLoop;
import io.netty.util.concurrent.Future;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.RejectedExecutionException;
import java.util.function.Function;
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
 *   <li>no port in the table is released, and each port that was exposed is released once, by {@link #close}.
 * </ul>
 */
public final class PortTable {
    private static final Logger log = LoggerFactory.getLogger(PortTable.class);

    private final EventLoop loop;
    private final BindPolicy policy;
    private final int limit;
    private final ListenerFactory listeners;
    private final PortWatcher watcher;
    private final Map<Long, PublishedPort> ports = new LinkedHashMap<>();
    private long lastId;
    private boolean closed;

    /**
     * @param limit ports at a time, those being opened included; what comes after is refused
     */
    public PortTable(GuestConnector guest, PortBinding binding, int limit, UdpLimits udpLimits, PortWatcher watcher) {
        this(guest.loop(), binding, limit, new HostListeners(guest, udpLimits), watcher);
    }

    PortTable(EventLoop loop, PortBinding binding, int limit, ListenerFactory listeners, PortWatcher watcher) {
        this.loop = loop;
        this.policy = new BindPolicy(binding);
        this.limit = limit;
        this.listeners = listeners;
        this.watcher = watcher;
    }

    // ---- for any thread ----

    /** Binds a port; see {@link ExposeResult}. */
    public CompletableFuture<ExposeResult> expose(Forward forward, Owner owner) {
        return submit(reply -> new PortCommand.Expose(forward, owner, reply));
    }

    /** Releases a port by its id. False if it is gone already: idempotent. */
    public CompletableFuture<Boolean> release(long id) {
        return submit(reply -> new PortCommand.Release(id, reply));
    }

    /** Releases what {@link Owner.Kind#CONTROL} exposed; {@code host} is what was bound, or what was asked for. */
    public CompletableFuture<UnexposeResult> unexpose(HostEndpoint host) {
        return submit(reply -> new PortCommand.Unexpose(host, reply));
    }

    /** In the order of their exposure; ports that are still being bound are not among them. */
    public CompletableFuture<List<PortSnapshot>> list() {
        return submit(PortCommand.ListPorts::new);
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
                doExpose(c.forward(), c.owner()).addListener((Future<ExposeResult> f) -> {
                    if (f.isSuccess()) {
                        c.reply().complete(f.getNow());
                    } else {
                        c.reply().completeExceptionally(f.cause());
                    }
                });
            case PortCommand.Release c -> c.reply().complete(doRelease(c.id()));
            case PortCommand.Unexpose c -> c.reply().complete(doUnexpose(c.host()));
            case PortCommand.ListPorts c -> c.reply().complete(snapshots());
            case PortCommand.CloseAll c -> c.reply().complete(doCloseAll());
        }
    }

    private Future<ExposeResult> doExpose(Forward requested, Owner owner) {
        assert loop.inEventLoop();
        HostEndpoint host = policy.apply(requested.host());
        if (closed) {
            return loop.newSucceededFuture(cancelled());
        }
        Optional<PublishedPort> holder =
                ports.values().stream().filter(p -> p.holds(host)).findFirst();
        if (holder.isPresent()) {
            return again(holder.get(), requested, owner, host);
        }
        if (ports.size() >= limit) {
            return loop.newSucceededFuture(BindFailure.tooMany(limit).refusal(host));
        }
        Traffic traffic = new Traffic();
        HostListener listener = listeners.create(requested.withHost(host), traffic);
        PublishedPort port = new PublishedPort(++lastId, requested, host, owner, listener, traffic, loop.newPromise());
        ports.put(port.id, port);
        listener.open().addListener((Future<HostEndpoint> f) -> onOpened(port, f));
        return port.result;
    }

    /** Somebody has it: the same owner, with the same wish, or it is taken. */
    private Future<ExposeResult> again(PublishedPort holder, Forward requested, Owner owner, HostEndpoint host) {
        return holder.owner.equals(owner) && holder.requested.equals(requested)
                ? holder.result
                : loop.newSucceededFuture(BindFailure.IN_USE.refusal(host));
    }

    private void onOpened(PublishedPort port, Future<HostEndpoint> opened) {
        if (port.released) {
            port.result.trySuccess(cancelled());
            return;
        }
        if (opened.isSuccess()) {
            become(port, opened.getNow(), "");
            return;
        }
        BindFailure failure = BindFailure.of(opened.cause());
        if (isAnyIpv6(port.requested.host()) && failure.meansNoAddressOfFamily()) {
            become(port, port.host, "this host has no IPv6, so nothing listens there");
        } else {
            ports.remove(port.id);
            port.released = true;
            port.listener.close();
            port.result.setSuccess(failure.refusal(port.host));
        }
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
        port.note = note;
        log.info(
                "exposed {} for {}",
                port.requested.withHost(bound),
                port.owner.kind().word());
        watcher.onExposed(port.snapshot());
        port.result.setSuccess(new Exposed(port.id, bound, note));
    }

    private boolean doRelease(long id) {
        PublishedPort port = ports.get(id);
        if (port != null) {
            close(port);
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
        port.listener.close();
        if (port.open) {
            log.info("released {}", last.text());
            watcher.onReleased(last);
        }
        port.result.trySuccess(cancelled());
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
        }
        return true;
    }
}
