package dev.longshore.vpnkit.flow;

import dev.longshore.packet.wire.IpAddress;
import io.netty.channel.EventLoop;
import io.netty.util.concurrent.Future;
import io.netty.util.concurrent.ScheduledFuture;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * Attributes flows to containers and keeps the accounts of these. Confined to the link's event loop, but for {@link #accounts}.
 *
 * <p>An account goes when its container has gone from the directory and its last flow has ended, and there are at most
 * {@link #MAX_ACCOUNTS}: flows of further containers have a name, and no account.
 */
public final class FlowOwners {
    static final int MAX_ACCOUNTS = 1000;
    private static final long SWEEP_SECONDS = 10;

    private final ContainerDirectory directory;
    private final Predicate<IpAddress> isGuestItself;
    private final EventLoop loop;
    private final Map<String, ContainerAccount> byId = new HashMap<>();
    private @Nullable ScheduledFuture<?> sweep;
    private boolean closed;
    private volatile List<ContainerAccount> published = List.of(); // written by the loop, read by anyone

    /** @param isGuestItself the guest's own addresses, whatever the directory says */
    public FlowOwners(ContainerDirectory directory, Predicate<IpAddress> isGuestItself, EventLoop loop) {
        this.directory = directory;
        this.isGuestItself = isGuestItself;
        this.loop = loop;
    }

    /** For a guest without containers. */
    public static FlowOwners nobody(EventLoop loop) {
        return new FlowOwners(ContainerDirectory.NOBODY, any -> true, loop);
    }

    /** Of a new flow, whoever opened it, at its first packet; {@link FlowOwner#end} is the flow's to call. */
    public FlowOwner begin(long guestHi, long guestLo) {
        return begin(new IpAddress(guestHi, guestLo));
    }

    /** As the other one. */
    public FlowOwner begin(IpAddress guest) {
        assert loop.inEventLoop();
        if (isGuestItself.test(guest)) {
            return FlowOwner.nobody();
        }
        FlowOwner owner = new FlowOwner();
        owner.lookedAt = directory.generation();
        ContainerIdentity known = directory.of(guest);
        if (known != null) {
            owner.settle(known, account(known, guest));
            return owner;
        }
        directory.ask(guest, loop).addListener((Future<Optional<ContainerIdentity>> asked) -> {
            ContainerIdentity who = asked.isSuccess() ? asked.getNow().orElse(null) : null;
            owner.settle(who, who == null ? null : account(who, guest));
        });
        return owner;
    }

    /**
     * True if the guest's address is not that container's any more which the flow belongs to. Flows of TCP end by themselves, others
     * have to be ended, lest the next container with the address gets into them. Allocates only if the directory has changed.
     */
    public boolean isStale(FlowOwner owner, long guestHi, long guestLo) {
        long generation = directory.generation();
        ContainerIdentity was = owner.identity();
        if (generation == owner.lookedAt || was == null) {
            return false;
        }
        owner.lookedAt = generation;
        ContainerIdentity now = directory.of(new IpAddress(guestHi, guestLo));
        return now == null || !now.id().equals(was.id());
    }

    private @Nullable ContainerAccount account(ContainerIdentity who, IpAddress address) {
        if (closed) {
            return null;
        }
        ContainerAccount account = byId.get(who.id());
        if (account == null) {
            if (byId.size() >= MAX_ACCOUNTS) {
                return null;
            }
            account = new ContainerAccount(who, address);
            byId.put(who.id(), account);
            published = List.copyOf(byId.values());
            armSweep();
        }
        account.metAt(address);
        return account;
    }

    /** Of the containers that had flows and are there, in no order. From any thread. */
    public List<ContainerAccount> accounts() {
        return published;
    }

    private void armSweep() {
        if (sweep == null && !byId.isEmpty() && !closed) {
            sweep = loop.schedule(this::onSweep, SWEEP_SECONDS, TimeUnit.SECONDS);
        }
    }

    private void onSweep() {
        sweep = null;
        List<String> gone = new ArrayList<>();
        byId.forEach((id, account) -> {
            ContainerIdentity now = directory.of(account.address());
            if (!account.hasFlows() && (now == null || !now.id().equals(id))) {
                gone.add(id);
            }
        });
        if (!gone.isEmpty()) {
            gone.forEach(byId::remove);
            published = List.copyOf(byId.values());
        }
        armSweep();
    }

    /** The network ends; flows may outlive this. Idempotent. */
    public void close() {
        assert loop.inEventLoop();
        closed = true;
        byId.clear();
        published = List.of();
        ScheduledFuture<?> timer = sweep;
        sweep = null;
        if (timer != null) {
            timer.cancel(false);
        }
    }
}
