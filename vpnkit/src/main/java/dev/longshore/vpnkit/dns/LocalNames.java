package dev.longshore.vpnkit.dns;

import dev.longshore.packet.wire.DnsMessage;
import dev.longshore.packet.wire.IpAddress;
import io.netty.channel.EventLoop;
import io.netty.util.concurrent.DefaultThreadFactory;
import io.netty.util.concurrent.ScheduledFuture;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Executor;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Names below {@code local}, which belong to the link of who asks and no resolver on the Internet is to hear of (RFC 6762 §22.1): the
 * host's operating system is asked, as its programs do it, which knows multicast DNS if it is set up. It tells addresses only. Confined to the
 * link's event loop, but for the look-ups.
 */
final class LocalNames implements AutoCloseable {
    static final String ZONE = "local";

    /** Who answered, in logs. */
    static final String FROM = "the host's system";

    private static final int THREADS = 4;
    private static final int MAX_WAITING = 64;

    /** As an exchange with resolvers: before the C library in the guest gives up. */
    private static final long TOTAL_MILLIS = 4500;

    private final EventLoop loop;
    private final Executor blocking;
    private final Lookup lookup;
    private final NameTable.Place host;
    private int waiting;

    /** May block. Called on other threads. */
    interface Lookup {
        List<InetAddress> addressesOf(String name) throws UnknownHostException;
    }

    /** @param host what the host's loopback is for the guest */
    LocalNames(EventLoop loop, Executor blocking, Lookup lookup, NameTable.Place host) {
        this.loop = loop;
        this.blocking = blocking;
        this.lookup = lookup;
        this.host = host;
    }

    /** With getaddrinfo, and threads of its own. */
    static LocalNames ofHost(EventLoop loop, NameTable.Place host) {
        ThreadPoolExecutor threads = new ThreadPoolExecutor(
                THREADS,
                THREADS,
                30,
                TimeUnit.SECONDS,
                new LinkedBlockingQueue<>(MAX_WAITING),
                new DefaultThreadFactory("local-names", true));
        threads.allowCoreThreadTimeOut(true);
        return new LocalNames(loop, threads, name -> List.of(InetAddress.getAllByName(name)), host);
    }

    static boolean isLocal(DnsQuestion q) {
        return q.endsIn(ZONE);
    }

    /**
     * Looks a name up.
     *
     * @param then called on the loop, once, maybe at once: with nothing if there is no such name, with null if nobody knows
     */
    void find(String name, Consumer<@Nullable List<IpAddress>> then) {
        if (waiting >= MAX_WAITING) {
            then.accept(null);
            return;
        }
        waiting++;
        boolean[] over = new boolean[1];
        Consumer<@Nullable List<IpAddress>> once = found -> {
            if (!over[0]) {
                over[0] = true;
                waiting--;
                then.accept(found);
            }
        };
        ScheduledFuture<?> timer = loop.schedule(() -> once.accept(null), TOTAL_MILLIS, TimeUnit.MILLISECONDS);
        try {
            blocking.execute(() -> {
                List<IpAddress> found = lookUp(name);
                loop.execute(() -> {
                    timer.cancel(false);
                    once.accept(found);
                });
            });
        } catch (RejectedExecutionException e) {
            timer.cancel(false);
            once.accept(null);
        }
    }

    private List<IpAddress> lookUp(String name) {
        List<IpAddress> found = new ArrayList<>();
        try {
            for (InetAddress a : lookup.addressesOf(name + ".")) { // without the host's search list
                IpAddress address = a.isLoopbackAddress() ? hostAddress(IpAddress.of(a)) : IpAddress.of(a);
                boolean useful = address != null && !(a.isLinkLocalAddress() && !address.isV4());
                if (useful && !found.contains(address)) {
                    found.add(address); // of the host's links an IPv6 address means nothing to a guest
                }
            }
        } catch (UnknownHostException | RuntimeException e) {
            return List.of();
        }
        return found;
    }

    private @Nullable IpAddress hostAddress(IpAddress loopback) {
        return loopback.isV4() ? IpAddress.v4(host.v4()) : host.v6();
    }

    /** True if addresses answer questions of this type. */
    static boolean isOfAddresses(int type) {
        return type == DnsMessage.TYPE_A || type == DnsMessage.TYPE_AAAA || type == DnsMessage.TYPE_ANY;
    }

    /** Ends the threads. Idempotent. */
    @Override
    public void close() {
        if (blocking instanceof ThreadPoolExecutor threads) {
            threads.shutdownNow();
        }
    }
}
