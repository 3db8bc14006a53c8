package dev.longshore.proxy.audit;

import dev.longshore.packet.wire.IpAddress;
import dev.longshore.vpnkit.hostsocket.Destination;
import dev.longshore.vpnkit.hostsocket.Relay;
import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPromise;
import io.netty.channel.EventLoop;
import io.netty.util.concurrent.Future;
import java.net.InetSocketAddress;
import java.time.InstantSource;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** What becomes of one request or tunnel, until it ends as a record, once. Confined to its connection's event loop. */
public final class AuditEntry {
    private final Audit audit;
    private final InstantSource clock;
    private final EventLoop loop;
    private final long began;
    private final AuditRecord.Kind kind;
    private final String method;
    private final String host;
    private final int port;
    private final AuditRecord.Named named;
    private final String path;
    private final @Nullable IpAddress source;
    private final String container;
    private String route = "";
    private String remote = "";
    private String rule = "";
    private String auth = "";
    private int status;
    private long fromGuest;
    private long toGuest;
    private String problem = "";
    private boolean ended;

    AuditEntry(
            Audit audit,
            InstantSource clock,
            EventLoop loop,
            AuditRecord.Kind kind,
            String method,
            String host,
            int port,
            AuditRecord.Named named,
            String path,
            @Nullable IpAddress source,
            String container) {
        this.audit = audit;
        this.clock = clock;
        this.loop = loop;
        this.began = loop.ticker().nanoTime();
        this.kind = kind;
        this.method = method;
        this.host = host;
        this.port = port;
        this.named = named;
        this.path = path;
        this.source = source;
        this.container = container;
        audit.begun(kind);
    }

    /** Which way it goes: {@code DIRECT}, or a proxy without its login. */
    public void route(String taken) {
        route = taken;
    }

    /** Who is at the other end of the connection that was made for it: the host itself, or the proxy. */
    public void connectedTo(Channel channel) {
        if (channel.remoteAddress() instanceof InetSocketAddress a && !a.isUnresolved()) {
            remote = Destination.of(IpAddress.of(a.getAddress()), a.getPort()).toString();
        }
    }

    /** What decided the way. */
    public void rule(String because) {
        rule = Auditor.cut(because);
    }

    /** The scheme by which the proxy was told who it is from; empty for none. */
    public void auth(String scheme) {
        auth = scheme;
    }

    /** We end it, for this reason; the end itself is still to come. */
    public void endsFor(String reason) {
        problem = reason;
    }

    /** Of the answer to the guest. */
    public void status(int answered) {
        status = answered;
    }

    public void addFromGuest(long bytes) {
        fromGuest += bytes;
    }

    public void addToGuest(long bytes) {
        toGuest += bytes;
    }

    /** Ends it with a relay of which the guest's channel is the first. */
    public void endWith(Future<Relay.Totals> relay) {
        relay.addListener(_ -> {
            Relay.Totals t = relay.getNow();
            addFromGuest(t.fromFirst());
            addToGuest(t.fromSecond());
            end(t.aborted() ? "reset" : "");
        });
    }

    /** Counts what goes through the remote's channel, which others use, and ends with it. */
    public void endWith(Channel to) {
        connectedTo(to);
        to.pipeline().addFirst(new Count());
        to.closeFuture().addListener(_ -> end(""));
    }

    /**
     * Makes the record. Idempotent: the first end counts.
     *
     * @param error what went wrong, or empty
     */
    public void end(String error) {
        if (ended) {
            return;
        }
        ended = true;
        long millis = TimeUnit.NANOSECONDS.toMillis(loop.ticker().nanoTime() - began);
        audit.add(new AuditRecord(
                clock.instant(),
                millis,
                source,
                container,
                kind,
                method,
                host,
                port,
                named,
                path,
                route,
                remote,
                rule,
                auth,
                status,
                fromGuest,
                toGuest,
                Auditor.cut(problem.isEmpty() ? error : problem)));
    }

    private final class Count extends ChannelDuplexHandler {
        @Override
        public void channelRead(ChannelHandlerContext ctx, Object msg) {
            if (msg instanceof ByteBuf data) {
                addToGuest(data.readableBytes());
            }
            ctx.fireChannelRead(msg);
        }

        @Override
        public void write(ChannelHandlerContext ctx, Object msg, ChannelPromise promise) {
            if (msg instanceof ByteBuf data) {
                addFromGuest(data.readableBytes());
            }
            ctx.write(msg, promise);
        }
    }
}
