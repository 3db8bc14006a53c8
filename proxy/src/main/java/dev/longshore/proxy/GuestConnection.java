package dev.longshore.proxy;

import static java.nio.charset.StandardCharsets.US_ASCII;

import dev.longshore.packet.wire.IpAddress;
import dev.longshore.proxy.message.BadMessage;
import dev.longshore.proxy.message.BodyFraming;
import dev.longshore.proxy.message.Fields;
import dev.longshore.proxy.message.HeadReader;
import dev.longshore.proxy.message.HeadWriter;
import dev.longshore.proxy.message.HopByHop;
import dev.longshore.proxy.message.HttpVersion;
import dev.longshore.proxy.message.RequestHead;
import dev.longshore.proxy.message.ResponseHead;
import dev.longshore.vpnkit.hostsocket.Destination;
import dev.longshore.vpnkit.hostsocket.DialResult;
import dev.longshore.vpnkit.hostsocket.Dialer;
import dev.longshore.vpnkit.hostsocket.Relay;
import dev.longshore.vpnkit.hostsocket.ResetClose;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import io.netty.channel.socket.DuplexChannel;
import io.netty.handler.codec.ByteToMessageDecoder;
import io.netty.util.ReferenceCountUtil;
import io.netty.util.concurrent.Future;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Our server side of one connection of a guest: requests one after the other, until a tunnel takes the channel over.
 * Confined to the channel's event loop.
 *
 * <p>Theory of operation. Bytes that are not understood yet wait in {@code pending}; {@link #process} moves them on as
 * far as the phase allows, and {@link #updateReading} then says whether more may come. Only two things let memory grow:
 * {@code pending}, which stops at {@link #MAX_PIPELINED}, and the outbound buffers of the two channels, whose water marks
 * stop the other side's reading. A second request is not looked at before the first one's response is complete and
 * mostly sent, so pipelined answers keep their order without a queue.
 */
final class GuestConnection extends ChannelInboundHandlerAdapter {
    private static final Logger log = LoggerFactory.getLogger(GuestConnection.class);

    /** Bytes of later requests that are kept while one is served: one header section, so that reading can go on. */
    private static final int MAX_PIPELINED = HeadReader.MAX_SECTION;

    /** After the last response the guest gets time to read it: closing with unread input would reset the connection. */
    private static final Duration LINGER = Duration.ofSeconds(5);

    private enum Phase {
        /** Between requests, or in a request's head. */
        HEAD,
        /** Waiting for a dial. */
        DIALING,
        /** A request or its response is under way. */
        EXCHANGE,
        /** Everything is said; input is thrown away until the guest closes. */
        LINGERING,
        /** Closed, or the channel belongs to a {@link Relay}. */
        OVER
    }

    private final ProxySettings settings;
    private final Gate gate;
    private final Dialer dialer;
    private final DuplexChannel channel;
    private final IdleOrigins idle;
    private final WaitingBytes waiting;

    private Phase phase = Phase.HEAD;
    private HeadReader reader = HeadReader.request();
    private @Nullable ByteBuf pending;
    private @Nullable Exchange exchange;
    private @Nullable OriginConnection origin;
    private @Nullable Future<DialResult> dial;
    private @Nullable Future<?> timer;
    private boolean headTimerRuns;
    private boolean guestEof;
    private boolean processing;
    private int counted; // in waiting

    GuestConnection(
            ProxySettings settings,
            Gate gate,
            Dialer dialer,
            IdleBudget budget,
            WaitingBytes waiting,
            DuplexChannel channel) {
        this.waiting = waiting;
        this.idle = new IdleOrigins(budget);
        this.settings = settings;
        this.gate = gate;
        this.dialer = dialer;
        this.channel = channel;
    }

    @Override
    public void handlerAdded(ChannelHandlerContext ctx) {
        startTimer(settings.idleTimeout(), this::close);
        updateReading();
    }

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object msg) {
        ByteBuf in = (ByteBuf) msg;
        if (phase == Phase.LINGERING || phase == Phase.OVER) {
            in.release();
            return;
        }
        pending = pending == null ? in : ByteToMessageDecoder.MERGE_CUMULATOR.cumulate(ctx.alloc(), pending, in);
        process();
    }

    @Override
    public void channelReadComplete(ChannelHandlerContext ctx) {
        OriginConnection o = origin;
        if (o != null) {
            o.flush();
        }
    }

    @Override
    public void channelWritabilityChanged(ChannelHandlerContext ctx) {
        OriginConnection o = origin;
        if (o != null) {
            o.setReading(channel.isWritable());
        }
        process();
    }

    @Override
    public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
        if (event instanceof ChannelInputShutdownEvent) {
            guestEof = true;
            process();
        }
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
        log.debug("guest connection broke: {}", cause.toString());
        close();
    }

    @Override
    public void channelInactive(ChannelHandlerContext ctx) {
        close();
    }

    /** Moves pending bytes on as far as possible. Not re-entered: calls from below are covered by the loop. */
    private void process() {
        if (processing) {
            return;
        }
        processing = true;
        try {
            boolean moved = true;
            while (moved) {
                moved = switch (phase) {
                    case HEAD -> channel.isWritable() && readHead();
                    case EXCHANGE -> readRequestBody();
                    case DIALING, LINGERING, OVER -> false;
                };
            }
        } catch (BadMessage e) {
            refuse(e);
        } finally {
            processing = false;
        }
        if (pending != null && !pending.isReadable()) {
            releasePending();
        }
        account();
        if (phase == Phase.HEAD && counted > 0 && waiting.isFull()) {
            refuse(new BadMessage(503, "too many requests are incomplete"));
        }
        updateReading();
    }

    /** Tells all connections' sum what waits here. */
    private void account() {
        int now = (pending == null ? 0 : pending.readableBytes()) + (phase == Phase.HEAD ? reader.bytes() : 0);
        waiting.change(now - counted);
        counted = now;
    }

    /** True if a whole head was there, and the phase has changed with it. */
    private boolean readHead() throws BadMessage {
        ByteBuf in = pending;
        if (in == null || !reader.read(in)) {
            if (guestEof) {
                finish();
            } else if (in != null && reader.hasBegun() && !headTimerRuns) {
                startTimer(settings.headTimeout(), this::onHeadTimeout);
                headTimerRuns = true;
            }
            return false;
        }
        stopTimer();
        HeadReader complete = reader;
        reader = HeadReader.request();
        onHead(RequestHead.parse(complete.startLine(), complete.fields()));
        return true;
    }

    private void onHead(RequestHead head) throws BadMessage {
        switch (gate.admit(head)) {
            case Admission.Tunnel t -> openTunnel(t.destination());
            case Admission.Own own -> answerOwn(head, own);
            case Admission.Forward f when isLastHop(head) -> answerLastHop(head, f);
            case Admission.Forward f -> openExchange(new Exchange(head, f, settings.pseudonym()));
        }
    }

    /** Max-Forwards has run out: RFC 9110 §7.6.2. */
    private static boolean isLastHop(RequestHead head) {
        return Exchange.countsForwards(head) && "0".equals(head.fields().first("Max-Forwards"));
    }

    private void answerLastHop(RequestHead head, Admission.Forward forward) {
        reply(Reply.ok("this is the proxy " + settings.pseudonym()), head, forward.framing());
    }

    private void answerOwn(RequestHead head, Admission.Own own) {
        boolean reads = head.method().equals("GET") || head.method().equals("HEAD");
        if (own.path().equals("*")
                || (reads && (own.path().equals("/") || own.path().equals("/health")))) {
            reply(Reply.ok("ok: the HTTP proxy " + settings.pseudonym()), head, own.framing());
        } else if (reads) {
            reply(new Reply(404, null, "no such page"), head, own.framing());
        } else {
            reply(new Reply(405, null, "only GET and HEAD"), head, own.framing());
        }
    }

    /** Answers instead of an origin; a request with a body ends the connection, since nobody reads it. */
    private void reply(Reply reply, RequestHead head, BodyFraming framing) {
        boolean closes = HopByHop.closes(head.version(), head.fields())
                || head.version() == HttpVersion.HTTP_1_0
                || !(framing instanceof BodyFraming.None);
        boolean withBody = !head.method().equals("HEAD");
        channel.writeAndFlush(reply.encode(channel.alloc(), settings.pseudonym(), withBody, closes));
        if (closes) {
            finish();
        } else {
            nextRequest();
        }
    }

    /** Refuses what could not even be understood: nothing behind it can be trusted. */
    private void refuse(BadMessage bad) {
        log.debug("request refused: {} {}", bad.status(), bad.text());
        Exchange x = exchange;
        closeOrigin();
        if (x != null && x.responseStarted()) {
            reset();
            return;
        }
        channel.writeAndFlush(Reply.of(bad).encode(channel.alloc(), settings.pseudonym(), true, true));
        finish();
    }

    private void onHeadTimeout() {
        refuse(new BadMessage(408, "the request did not arrive in time"));
    }

    // --- tunnels ---

    private void openTunnel(Destination destination) {
        dial(destination, host -> {
            channel.write(Unpooled.copiedBuffer("HTTP/1.1 200 Connection established\r\n\r\n", US_ASCII));
            handOver(host, Unpooled.EMPTY_BUFFER);
        });
    }

    /** Joins the channels for good. Takes ownership of {@code fromHost}, bytes that came early. */
    private void handOver(DuplexChannel host, ByteBuf fromHost) {
        channel.writeAndFlush(fromHost);
        ByteBuf fromGuest = pending == null ? Unpooled.EMPTY_BUFFER : pending;
        pending = null;
        host.writeAndFlush(fromGuest);
        become(Phase.OVER);
        account();
        channel.pipeline().remove(this);
        Relay.join(channel, host);
    }

    // --- exchanges ---

    private void openExchange(Exchange x) {
        exchange = x;
        OriginConnection kept = idle.take(x.forward().destination());
        if (kept != null) {
            begin(x, kept, true);
        } else {
            dialOrigin(x);
        }
    }

    private void dialOrigin(Exchange x) {
        dial(x.forward().destination(), host -> begin(x, new OriginConnection(host), false));
    }

    private void begin(Exchange x, OriginConnection connection, boolean reused) {
        become(Phase.EXCHANGE);
        origin = connection;
        connection.begin(
                x.method(),
                x.requestHead(channel.alloc()),
                x.offersUpgrade(),
                new ResponseRelay(x, connection, reused));
        connection.setReading(channel.isWritable());
        process();
        connection.flush();
    }

    /** Streams the body as long as the origin takes it; false, since the phase stays. */
    private boolean readRequestBody() throws BadMessage {
        Exchange x = exchange;
        OriginConnection o = origin;
        if (x == null || o == null) {
            return false;
        }
        if (!x.requestBody().isDone() && pending != null && o.isWritable()) {
            x.requestBody().read(pending, data -> writeToOrigin(x, o, data));
            if (x.requestBody().isDone() && x.chunkedToOrigin()) {
                o.write(HeadWriter.lastChunk(
                        channel.alloc(),
                        HopByHop.forwardableTrailers(x.requestBody().trailers())));
            }
            o.flush();
        }
        if (guestEof && !x.requestBody().isDone() && o.isWritable()) {
            log.debug("guest closed in the middle of a request body");
            close();
        }
        return false;
    }

    private void writeToOrigin(Exchange x, OriginConnection o, ByteBuf data) {
        if (x.chunkedToOrigin()) {
            o.write(HeadWriter.chunkStart(channel.alloc(), data.readableBytes()));
            o.write(data);
            o.write(HeadWriter.chunkEnd(channel.alloc()));
        } else {
            o.write(data);
        }
    }

    /** Carries one response to the guest. Confined like the class around it. */
    private final class ResponseRelay implements OriginConnection.Listener {
        private final Exchange x;
        private final OriginConnection connection;
        private final boolean reused;

        ResponseRelay(Exchange x, OriginConnection connection, boolean reused) {
            this.x = x;
            this.connection = connection;
            this.reused = reused;
        }

        @Override
        public void onInterim(ResponseHead head) {
            if (!x.isHttp10()) { // RFC 9110 §15.2
                channel.writeAndFlush(x.interimHead(channel.alloc(), head));
            }
        }

        @Override
        public void onHead(ResponseHead head, BodyFraming framing) {
            log.debug("{} {} -> {}", x.method(), x.forward().destination(), head.status());
            channel.write(x.responseHead(channel.alloc(), head, framing));
        }

        @Override
        public void onData(ByteBuf data) {
            if (x.chunkedToGuest()) {
                channel.write(HeadWriter.chunkStart(channel.alloc(), data.readableBytes()));
                channel.write(data);
                channel.write(HeadWriter.chunkEnd(channel.alloc()));
            } else {
                channel.write(data);
            }
            connection.setReading(channel.isWritable());
        }

        @Override
        public void onEnd(Fields trailers, boolean reusable) {
            if (x.chunkedToGuest()) {
                channel.write(HeadWriter.lastChunk(channel.alloc(), HopByHop.forwardableTrailers(trailers)));
            }
            channel.flush();
            origin = null;
            exchange = null;
            boolean requestDone = x.requestBody().isDone();
            if (reusable && requestDone) {
                idle.put(x.forward().destination(), connection);
            } else {
                connection.close();
            }
            if (x.closesGuest() || !requestDone) {
                finish();
            } else {
                nextRequest();
                process();
            }
        }

        @Override
        public void onSwitched(ResponseHead head, ByteBuf early) {
            origin = null;
            exchange = null;
            if (!x.requestBody().isDone()) {
                early.release();
                connection.close();
                refuse(new BadMessage(502, "the server changed the protocol in the middle of a request"));
                return;
            }
            channel.write(x.switchedHead(channel.alloc(), head));
            handOver((DuplexChannel) connection.channel(), early);
        }

        @Override
        public void onBatchEnd() {
            channel.flush();
        }

        @Override
        public void onWritabilityChanged() {
            process();
        }

        @Override
        public void onLost(Reply why, boolean silent) {
            origin = null;
            exchange = null;
            if (x.responseStarted()) {
                reset(); // the guest must not take a cut response for a whole one
            } else if (reused && silent && x.mayRetry()) {
                exchange = x;
                dialOrigin(x);
            } else {
                fail(x, why);
            }
        }
    }

    /** An error instead of a response. The connection lives on only if the request has been read to its end. */
    private void fail(Exchange x, Reply why) {
        log.debug("{} {}: {} {}", x.method(), x.forward().destination(), why.status(), why.text());
        boolean closes = x.closesGuest() || !x.requestBody().isDone();
        boolean withBody = !x.method().equals("HEAD");
        channel.writeAndFlush(why.encode(channel.alloc(), settings.pseudonym(), withBody, closes));
        exchange = null;
        if (closes) {
            finish();
        } else {
            nextRequest();
            process();
        }
    }

    // --- dialing ---

    private void dial(Destination destination, Consumer<DuplexChannel> onConnected) {
        become(Phase.DIALING);
        Future<DialResult> attempt = dialer.dial(fromGuest(destination), channel.eventLoop());
        dial = attempt;
        attempt.addListener(f -> onDialed(destination, attempt, onConnected));
    }

    /** With who asks, which a policy may want to know. */
    private Destination fromGuest(Destination destination) {
        return channel.remoteAddress() instanceof InetSocketAddress guest && !guest.isUnresolved()
                ? destination.from(IpAddress.of(guest.getAddress()))
                : destination;
    }

    private void onDialed(Destination destination, Future<DialResult> attempt, Consumer<DuplexChannel> onConnected) {
        dial = null;
        DialResult result = attempt.isSuccess() ? attempt.getNow() : new DialResult.Failed("the dial was given up");
        if (phase != Phase.DIALING) {
            if (result instanceof DialResult.Connected late) {
                late.channel().close();
            }
        } else if (result instanceof DialResult.Connected connected) {
            onConnected.accept(connected.channel());
        } else {
            onNotConnected(destination, Reply.of(result));
        }
    }

    private void onNotConnected(Destination destination, Reply why) {
        Exchange x = exchange;
        if (x != null) {
            fail(x, why);
            return;
        }
        log.debug("CONNECT {}: {} {}", destination, why.status(), why.text());
        channel.writeAndFlush(why.encode(channel.alloc(), settings.pseudonym(), true, true));
        finish();
    }

    // --- phases ---

    private void become(Phase next) {
        phase = next;
        stopTimer();
    }

    private void nextRequest() {
        become(Phase.HEAD);
        startTimer(settings.idleTimeout(), this::close);
    }

    /** Sends FIN behind what was written and waits for the guest's. */
    private void finish() {
        if (phase == Phase.OVER || phase == Phase.LINGERING) {
            return;
        }
        become(Phase.LINGERING);
        releasePending();
        idle.closeAll();
        if (guestEof) {
            channel.writeAndFlush(Unpooled.EMPTY_BUFFER).addListener(ChannelFutureListener.CLOSE);
            return;
        }
        startTimer(settings.idleTimeout(), this::close); // for a guest that does not read
        channel.writeAndFlush(Unpooled.EMPTY_BUFFER).addListener(sent -> {
            if (phase == Phase.LINGERING) {
                channel.shutdownOutput();
                startTimer(LINGER, this::close);
            }
        });
        updateReading();
    }

    /** Ends the connection so that the guest sees an error. */
    private void reset() {
        ResetClose.close(channel);
        close();
    }

    /** The one way out: idempotent, releases everything. */
    private void close() {
        if (phase == Phase.OVER) {
            return;
        }
        become(Phase.OVER);
        releasePending();
        closeOrigin();
        idle.closeAll();
        if (dial != null) {
            dial.cancel(false);
        }
        channel.close();
    }

    private void closeOrigin() {
        if (origin != null) {
            origin.close();
            origin = null;
        }
        exchange = null;
    }

    private void updateReading() {
        boolean wanted =
                switch (phase) {
                    case HEAD -> channel.isWritable();
                    case DIALING -> !isFull();
                    case EXCHANGE -> wantsRequestBytes();
                    case LINGERING -> true;
                    case OVER -> false;
                };
        if (phase != Phase.OVER) {
            channel.config().setAutoRead(wanted);
        }
    }

    private boolean wantsRequestBytes() {
        OriginConnection o = origin;
        Exchange x = exchange;
        if (x == null || o == null || x.requestBody().isDone()) {
            return !isFull();
        }
        return o.isWritable();
    }

    private boolean isFull() {
        return pending != null && pending.readableBytes() >= MAX_PIPELINED;
    }

    private void startTimer(Duration after, Runnable action) {
        stopTimer();
        timer = channel.eventLoop().schedule(action, after.toNanos(), TimeUnit.NANOSECONDS);
    }

    private void stopTimer() {
        headTimerRuns = false;
        if (timer != null) {
            timer.cancel(false);
            timer = null;
        }
    }

    private void releasePending() {
        ReferenceCountUtil.release(pending);
        pending = null;
        account();
    }
}
