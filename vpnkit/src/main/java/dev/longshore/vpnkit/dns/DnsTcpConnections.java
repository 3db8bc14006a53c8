package dev.longshore.vpnkit.dns;

import dev.longshore.vpnkit.count.Counters;
import io.netty.channel.ChannelHandlerContext;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The guest's TCP connections to the name server that have said something. Each may keep {@link DnsTcpHandler}'s buffer, up to
 * 128 KiB, so there are not many: RFC 7766 §6.2.2. Beyond the limit the oldest that has asked nothing whole makes room, so that
 * who begins questions and does not end them keeps nobody out; where all have asked, the newest goes. Confined to the link's
 * event loop.
 */
final class DnsTcpConnections {
    static final int MAX = 128;

    private final Map<DnsTcpHandler, ChannelHandlerContext> open = new LinkedHashMap<>();
    private final Counters<DnsCounter> counters;

    DnsTcpConnections(Counters<DnsCounter> counters) {
        this.counters = counters;
    }

    /** The first bytes of a connection have come; it may be closed within this call. */
    void opened(DnsTcpHandler handler, ChannelHandlerContext context) {
        if (open.size() >= MAX) {
            counters.increment(DnsCounter.TCP_EVICTED);
            DnsTcpHandler idle = oldestIdle();
            ChannelHandlerContext victim = idle == null ? null : open.remove(idle);
            if (victim == null) {
                context.close();
                return;
            }
            victim.close();
        }
        open.put(handler, context);
    }

    private @Nullable DnsTcpHandler oldestIdle() {
        for (DnsTcpHandler handler : open.keySet()) {
            if (!handler.isAsking()) {
                return handler;
            }
        }
        return null;
    }

    /** Idempotent. */
    void closed(DnsTcpHandler handler) {
        open.remove(handler);
    }
}
