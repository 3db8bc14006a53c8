package dev.longshore.proxy.upstream;

import dev.longshore.packet.wire.IpAddress;
import dev.longshore.proxy.message.BodyFraming;
import dev.longshore.proxy.message.Fields;
import dev.longshore.proxy.message.HeadWriter;
import dev.longshore.proxy.message.ResponseHead;
import dev.longshore.vpnkit.hostsocket.Destination;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.Unpooled;
import io.netty.channel.EventLoop;
import io.netty.channel.socket.DuplexChannel;
import io.netty.util.concurrent.Future;
import io.netty.util.concurrent.Promise;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Opens a tunnel through an HTTP proxy: RFC 9110 §9.3.6. Any 2xx opens it; any other answer but 407 is for the guest, body
 * included. Confined to the connection's event loop.
 */
final class ConnectTunnel implements Request, OriginConnection.Listener {
    /** How it ended. Immutable. */
    sealed interface Outcome {
        record Done(Way way) implements Outcome {}

        /** The proxy went away without an answer: another one may do better. */
        record Broken(Reply why) implements Outcome {}
    }

    /** An error page; a longer one is replaced by a line of ours. */
    private static final int MAX_PAGE = 256 * 1024;

    private final ProxyConnection connection;
    private final String authority;
    private final UpstreamSettings settings;
    private final @Nullable String guestAuthorization;
    private final ByteBufAllocator alloc;
    private final Promise<Outcome> outcome;
    private @Nullable ResponseHead answer;
    private ByteBuf page = Unpooled.EMPTY_BUFFER;

    private ConnectTunnel(
            ProxyConnection connection,
            Destination to,
            UpstreamSettings settings,
            @Nullable String guestAuthorization) {
        this.connection = connection;
        this.authority = authority(to);
        this.settings = settings;
        this.guestAuthorization = guestAuthorization;
        this.alloc = connection.channel().alloc();
        this.outcome = connection.channel().eventLoop().newPromise();
    }

    /** Takes ownership of {@code connection}. */
    static Future<Outcome> open(
            ProxyConnection connection,
            Destination to,
            UpstreamSettings settings,
            @Nullable String guestAuthorization) {
        ConnectTunnel tunnel = new ConnectTunnel(connection, to, settings, guestAuthorization);
        EventLoop loop = connection.channel().eventLoop();
        var timer = loop.schedule(tunnel::onTimeout, settings.answerTimeout().toNanos(), TimeUnit.NANOSECONDS);
        tunnel.outcome.addListener(_ -> {
            timer.cancel(false);
            if (tunnel.outcome.isCancelled()) {
                connection.close();
                tunnel.page.release();
                tunnel.page = Unpooled.EMPTY_BUFFER;
            }
        });
        connection.begin(tunnel, tunnel);
        connection.setReading(true);
        connection.flush();
        return tunnel.outcome;
    }

    /** By the name if there is one, so that the proxy's own rules see it. */
    static String authority(Destination to) {
        IpAddress a = to.address();
        String name = to.name();
        String host = name != null ? name : a == null || a.isV4() ? String.valueOf(a) : "[" + a + "]";
        return host + ":" + to.port();
    }

    // --- what is asked

    @Override
    public String method() {
        return "CONNECT";
    }

    @Override
    public String target() {
        return authority;
    }

    @Override
    public boolean hasBody() {
        return false;
    }

    @Override
    public boolean offersUpgrade() {
        return false;
    }

    @Override
    public boolean authenticatesItself() {
        return guestAuthorization != null;
    }

    @Override
    public ByteBuf head(@Nullable String proxyAuthorization) {
        Fields fields = new Fields().add("Host", authority);
        String authorization = guestAuthorization != null ? guestAuthorization : proxyAuthorization;
        if (authorization != null) {
            fields.add("Proxy-Authorization", authorization);
        }
        String via = settings.via("1.1");
        if (via != null) {
            fields.add("Via", via);
        }
        return HeadWriter.head(alloc, "CONNECT " + authority + " HTTP/1.1", fields);
    }

    @Override
    public ByteBuf probe(@Nullable String proxyAuthorization) {
        throw new IllegalStateException("CONNECT has no body");
    }

    // --- what is answered

    @Override
    public void onInterim(ResponseHead head) {
        // 100 and 103 say nothing about a tunnel
    }

    @Override
    public void onSwitched(ResponseHead head, ByteBuf early) {
        DuplexChannel channel = connection.channel();
        channel.config().setAutoRead(false);
        if (early.isReadable()) {
            channel.pipeline().addLast(new ReadAhead(early));
        } else {
            early.release();
        }
        if (!outcome.trySuccess(
                new Outcome.Done(new Way.Remote(channel, connection.proxy(), connection.authScheme())))) {
            channel.close();
        }
    }

    @Override
    public void onHead(ResponseHead head, BodyFraming framing) {
        answer = head;
        page = alloc.buffer();
    }

    @Override
    public void onData(ByteBuf data) {
        try {
            page.writeBytes(data, Math.min(data.readableBytes(), Math.max(0, MAX_PAGE + 1 - page.readableBytes())));
        } finally {
            data.release();
        }
        if (page.readableBytes() > MAX_PAGE) {
            connection.close();
            finishAnswer();
        }
    }

    @Override
    public void onEnd(Fields trailers, boolean reusable) {
        connection.close();
        finishAnswer();
    }

    private void finishAnswer() {
        ByteBuf body = page;
        page = Unpooled.EMPTY_BUFFER;
        ResponseHead head = answer;
        if (head == null || body.readableBytes() > MAX_PAGE) {
            body.release();
            int status = head == null ? 502 : head.status();
            finish(new Outcome.Done(new Way.Failed(
                    new Reply(status, "http_request_denied", "it answered " + status + ", with a page that is too long")
                            .by(connection.proxy()))));
        } else if (!outcome.trySuccess(new Outcome.Done(new Way.Answered(head, body)))) {
            body.release();
        }
    }

    @Override
    public void onBatchEnd() {
        // nothing is passed on piece by piece
    }

    @Override
    public void onWritabilityChanged() {
        // there is no body to send
    }

    @Override
    public void onLost(Reply why, boolean silent) {
        boolean answered = answer != null;
        page.release();
        page = Unpooled.EMPTY_BUFFER;
        finish(silent && !answered ? new Outcome.Broken(why) : new Outcome.Done(new Way.Failed(why)));
    }

    private void onTimeout() {
        connection.close();
        page.release();
        page = Unpooled.EMPTY_BUFFER;
        finish(new Outcome.Done(new Way.Failed(
                new Reply(504, "connection_timeout", "it did not open the tunnel in time").by(connection.proxy()))));
    }

    private void finish(Outcome how) {
        outcome.trySuccess(how);
    }
}
