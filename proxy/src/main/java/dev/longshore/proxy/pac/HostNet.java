package dev.longshore.proxy.pac;

import java.io.IOException;
import java.net.DatagramSocket;
import java.net.Inet4Address;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Future;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** The host's network for one call of a script, with the host's own resolver. Confined to that call. */
final class HostNet implements PacHelpers.Net {
    /** Of one look-up; a script often makes several, and goes on without an answer. */
    private static final long LOOKUP_NANOS = TimeUnit.SECONDS.toNanos(2);

    private static final int MAX_LOOKUPS = 64;
    private static final int MAX_ADDRESSES = 64;
    private static final int MAX_NAME = 255;

    private final ExecutorService lookups;
    private final long deadline;
    private final Map<String, List<InetAddress>> known = new HashMap<>();

    /** @param deadline in {@link System#nanoTime}'s terms */
    HostNet(ExecutorService lookups, long deadline) {
        this.lookups = lookups;
        this.deadline = deadline;
    }

    @Override
    public List<InetAddress> addressesOf(String name) {
        List<InetAddress> had = known.get(name);
        if (had != null) {
            return had;
        }
        if (name.isEmpty() || name.length() > MAX_NAME || known.size() >= MAX_LOOKUPS) {
            return List.of();
        }
        List<InetAddress> found = lookUp(name);
        known.put(name, found);
        return found;
    }

    private List<InetAddress> lookUp(String name) {
        Future<InetAddress[]> answer;
        try {
            answer = lookups.submit(() -> InetAddress.getAllByName(name));
        } catch (RejectedExecutionException e) {
            return List.of();
        }
        try {
            InetAddress[] all = answer.get(Math.min(LOOKUP_NANOS, deadline - System.nanoTime()), TimeUnit.NANOSECONDS);
            return List.of(all).subList(0, Math.min(MAX_ADDRESSES, all.length));
        } catch (ExecutionException | TimeoutException e) {
            answer.cancel(true);
            return List.of();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return List.of();
        }
    }

    @Override
    public List<InetAddress> own() {
        List<InetAddress> own = new ArrayList<>();
        // Documentation's addresses: nothing is sent, the kernel only says from where it would be.
        source(own, "192.0.2.1");
        source(own, "2001:db8::1");
        if (own.isEmpty()) {
            own.add(InetAddress.ofLiteral("127.0.0.1"));
        }
        return own;
    }

    private static void source(List<InetAddress> own, String remote) {
        try (DatagramSocket socket = new DatagramSocket(new InetSocketAddress(0))) {
            socket.connect(new InetSocketAddress(InetAddress.ofLiteral(remote), 53));
            InetAddress local = socket.getLocalAddress();
            boolean sameFamily = local instanceof Inet4Address == remote.indexOf('.') >= 0;
            if (sameFamily && !local.isAnyLocalAddress()) {
                own.add(InetAddress.getByAddress(local.getAddress())); // without a scope
            }
        } catch (UnknownHostException e) {
            throw new IllegalStateException(e); // only for a wrong length
        } catch (IOException | RuntimeException e) {
            // no route of this family
        }
    }
}
