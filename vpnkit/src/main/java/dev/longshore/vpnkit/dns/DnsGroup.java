package dev.longshore.vpnkit.dns;

import dev.longshore.packet.wire.DnsMessage;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * The resolvers for one domain, or for all that no other group has. Confined to the link's event loop.
 *
 * <p>The one that answered last when others did not is asked first for a while, so that a dead one in front costs one question, not
 * each.
 */
final class DnsGroup {
    private static final long PREFERENCE_NANOS = TimeUnit.SECONDS.toNanos(30);

    /** What the group is for; "" is everything. */
    final String domain;

    final List<DnsUpstream> servers;

    /** Who is asked instead if none of them can be reached; null for nobody. */
    final @Nullable DnsGroup otherwise;

    /** The domain as questions have it, in lower case. */
    private final byte[] wire;

    private int preferred;
    private long preferredSince;

    DnsGroup(String domain, List<DnsUpstream> servers) {
        this(domain, servers, null);
    }

    DnsGroup(String domain, List<DnsUpstream> servers, @Nullable DnsGroup otherwise) {
        this.otherwise = otherwise;
        this.domain = domain;
        this.servers = List.copyOf(servers);
        ByteBuf b = Unpooled.buffer();
        DnsMessage.writeName(b, domain);
        wire = new byte[b.readableBytes()];
        b.readBytes(wire);
    }

    /** All are programs of the host. */
    boolean isOnLoopback() {
        return servers.stream().allMatch(s -> s.address.getAddress().isLoopbackAddress());
    }

    boolean isDefault() {
        return domain.isEmpty();
    }

    /** For people. */
    String text() {
        return isDefault() ? "default" : domain;
    }

    /** True if the question's name is the domain or below it. */
    boolean isFor(DnsQuestion q) {
        int rest = q.nameBytes();
        if (rest < wire.length) {
            return false;
        }
        int i = 0;
        while (rest > wire.length) { // on the boundaries of labels only
            int label = (q.bytes[i] & 0xFF) + 1;
            i += label;
            rest -= label;
        }
        if (rest != wire.length) {
            return false;
        }
        for (int k = 0; k < wire.length; k++) {
            if (DnsMessage.lower(q.bytes[i + k]) != wire[k]) {
                return false;
            }
        }
        return true;
    }

    int wireBytes() {
        return wire.length;
    }

    /** Index of the one to ask first. */
    int first(long now) {
        if (now - preferredSince >= PREFERENCE_NANOS) {
            preferred = 0;
        }
        return preferred;
    }

    void answeredBy(int server, long now) {
        if (server != preferred) {
            preferred = server;
            preferredSince = now;
        }
    }
}
