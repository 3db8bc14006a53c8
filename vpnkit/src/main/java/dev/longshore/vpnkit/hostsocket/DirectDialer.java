package dev.longshore.vpnkit.hostsocket;

import dev.longshore.packet.wire.IpAddress;
import io.netty.channel.EventLoop;
import io.netty.util.concurrent.DefaultThreadFactory;
import io.netty.util.concurrent.Future;
import io.netty.util.concurrent.Promise;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Connects host sockets to where the guest wants to go, without a proxy. Names are looked up by the host's resolver on a
 * few threads of their own; all addresses of a name are tried, see {@link DialAttempt}.
 *
 * <p>Thread-safe: everything of one dial happens on the loop it was asked for, apart from the look-up.
 */
public final class DirectDialer implements Dialer, AutoCloseable {
    /** The host's kernel would go on for 127 s (tcp_syn_retries 6); no guest's program waits that long gladly. */
    public static final Duration CONNECT_TIMEOUT = Duration.ofSeconds(60);

    private static final int LOOKUP_THREADS = 8;
    private static final int LOOKUPS_WAITING = 1024;
    private static final byte[] LOOPBACK_V4 = {127, 0, 0, 1};
    private static final byte[] LOOPBACK_V6 = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};

    private final OwnAddresses own;
    private final NameLookup lookup;
    private final long timeoutMillis;
    private final HostSockets sockets = new HostSockets();
    private final ThreadPoolExecutor lookups;

    public DirectDialer(OwnAddresses own) {
        this(own, NameLookup.ofHost(), CONNECT_TIMEOUT);
    }

    public DirectDialer(OwnAddresses own, NameLookup lookup, Duration timeout) {
        this.own = own;
        this.lookup = lookup;
        this.timeoutMillis = timeout.toMillis();
        this.lookups = new ThreadPoolExecutor(
                LOOKUP_THREADS,
                LOOKUP_THREADS,
                30,
                TimeUnit.SECONDS,
                new LinkedBlockingQueue<>(LOOKUPS_WAITING),
                new DefaultThreadFactory("name-lookup", true));
        lookups.allowCoreThreadTimeOut(true);
    }

    /** Asked of each address of a remote before a socket goes there. On the loop of the dial. */
    public interface Inspection {
        Inspection NONE = address -> null;

        /**
         * Null lets it through; else the reason, for the guest.
         *
         * @param address as it was given or looked up: a name may lead to an alias of the host's loopback, or to that itself
         */
        @Nullable
        String refusal(IpAddress address);
    }

    @Override
    public Future<DialResult> dial(Destination destination, EventLoop loop) {
        return dial(destination, loop, Inspection.NONE);
    }

    /** As {@link #dial(Destination, EventLoop)}, to the addresses that {@code inspection} lets through; names of the host have none. */
    public Future<DialResult> dial(Destination destination, EventLoop loop, Inspection inspection) {
        Promise<DialResult> result = loop.newPromise();
        if (loop.inEventLoop()) {
            start(destination, loop, inspection, result);
        } else {
            loop.execute(() -> start(destination, loop, inspection, result));
        }
        return result;
    }

    /**
     * Connects as a program of the host's would: to any address, its loopback included. For remotes that the user has set, never for
     * those that a guest asks for.
     *
     * @param host a name, or an address literal without brackets; {@code localhost} and the names of the host are its loopback
     * @return never fails
     */
    public Future<DialResult> dialAsHost(String host, int port, EventLoop loop) {
        Promise<DialResult> result = loop.newPromise();
        Runnable start = () -> {
            IpAddress literal = literal(host);
            if (literal != null) {
                attempt(List.of(literal.toInetAddress()), port, loop, result);
            } else if (host.equals("localhost") || host.endsWith(".localhost") || own.isHostName(host)) {
                attempt(loopback(true), port, loop, result);
            } else {
                lookUp(host, loop, result, addresses -> attempt(addresses, port, loop, result));
            }
        };
        if (loop.inEventLoop()) {
            start.run();
        } else {
            loop.execute(start);
        }
        return result;
    }

    private static @Nullable IpAddress literal(String host) {
        try {
            return IpAddress.parse(host);
        } catch (IllegalArgumentException e) {
            return null;
        }
    }

    private void attempt(List<InetAddress> targets, int port, EventLoop loop, Promise<DialResult> result) {
        if (!result.isDone()) {
            new DialAttempt(sockets, targets, port, 0, loop, timeoutMillis, result).start();
        }
    }

    private void start(Destination destination, EventLoop loop, Inspection inspection, Promise<DialResult> result) {
        IpAddress address = destination.address();
        String name = destination.name();
        if (address != null) {
            connect(List.of(address.toInetAddress()), true, destination, loop, inspection, result);
        } else if (name != null && own.isHostName(name)) {
            connect(loopback(true), false, destination, loop, Inspection.NONE, result);
        } else if (name != null) {
            lookUp(name, loop, result, addresses -> connect(addresses, false, destination, loop, inspection, result));
        }
    }

    private void lookUp(String name, EventLoop loop, Promise<DialResult> result, Consumer<List<InetAddress>> then) {
        try {
            lookups.execute(() -> {
                try {
                    List<InetAddress> addresses = lookup.addressesOf(name);
                    loop.execute(() -> then.accept(addresses));
                } catch (UnknownHostException e) {
                    result.trySuccess(new DialResult.UnknownHost("no address for " + name));
                } catch (RuntimeException e) { // whatever a guest's name does to the resolver: the dial ends
                    result.trySuccess(new DialResult.Failed("looking up " + name + ": " + e));
                }
            });
        } catch (RejectedExecutionException e) {
            result.trySuccess(new DialResult.Failed("too many name look-ups at once"));
        }
    }

    /** {@code literal}: the guest named the address itself. */
    private void connect(
            List<InetAddress> addresses,
            boolean literal,
            Destination destination,
            EventLoop loop,
            Inspection inspection,
            Promise<DialResult> result) {
        List<InetAddress> targets = new ArrayList<>();
        DialResult refusal = new DialResult.UnknownHost("no address for " + destination);
        for (InetAddress a : addresses) {
            IpAddress ip = IpAddress.of(a);
            boolean alias = own.isHostAlias(ip);
            if (!alias && own.isInGuestNetwork(ip)) {
                refusal = new DialResult.Refused(); // ours or the guest's, and no service of ours answers there
                continue;
            }
            if (a.isAnyLocalAddress() || a.isMulticastAddress() || (literal && a.isLoopbackAddress())) {
                // 0.0.0.0 would mean the host itself; its loopback has a name of its own
                refusal = new DialResult.Denied(a.getHostAddress() + " is not a remote's address");
                continue;
            }
            String denied = inspection.refusal(ip);
            if (denied != null) {
                refusal = new DialResult.Denied(denied);
            } else if (alias) {
                targets.addAll(loopback(ip.isV4()));
            } else {
                targets.add(a);
            }
        }
        if (targets.isEmpty()) {
            result.trySuccess(refusal);
        } else if (!result.isDone()) {
            new DialAttempt(sockets, targets, destination.port(), destination.hops(), loop, timeoutMillis, result)
                    .start();
        }
    }

    /** Both families, since a service of the host often listens on one only; the one that was asked for first. */
    private static List<InetAddress> loopback(boolean v4First) {
        try {
            InetAddress v4 = InetAddress.getByAddress(LOOPBACK_V4);
            InetAddress v6 = InetAddress.getByAddress(LOOPBACK_V6);
            return v4First ? List.of(v4, v6) : List.of(v6, v4);
        } catch (UnknownHostException e) {
            throw new IllegalStateException(e); // only for a wrong length
        }
    }

    /** Ends the look-up threads. Attempts under way go on. Idempotent. */
    @Override
    public void close() {
        lookups.shutdownNow();
    }
}
