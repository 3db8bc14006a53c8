package dev.longshore.proxy;

import static java.nio.charset.StandardCharsets.US_ASCII;

import dev.longshore.packet.wire.IpAddress;
import dev.longshore.proxy.audit.AuditEntry;
import dev.longshore.proxy.audit.AuditRecord;
import dev.longshore.proxy.audit.Auditor;
import dev.longshore.proxy.message.BadMessage;
import dev.longshore.proxy.message.BodyFraming;
import dev.longshore.proxy.message.Fields;
import dev.longshore.proxy.message.HeadReader;
import dev.longshore.proxy.message.HeadWriter;
import dev.longshore.proxy.message.HopByHop;
import dev.longshore.proxy.message.HttpVersion;
import dev.longshore.proxy.message.RequestHead;
import dev.longshore.proxy.message.ResponseHead;
import dev.longshore.proxy.route.ProxyAddress;
import dev.longshore.proxy.upstream.Origin;
import dev.longshore.proxy.upstream.OriginConnection;
import dev.longshore.proxy.upstream.ProxyConnection;
import dev.longshore.proxy.upstream.Reply;
import dev.longshore.proxy.upstream.TunnelLimit;
import dev.longshore.proxy.upstream.Upstreams;
import dev.longshore.proxy.upstream.Way;
import dev.longshore.vpnkit.hostsocket.Destination;
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

    /** The scheme of who brings his own credentials, in the audit's record. */
    private static final String BY_GUEST = "guest";

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
    private final DuplexChannel channel;
    private final Origins origins;
    private final WaitingBytes waiting;
    private final Auditor auditor;

    private Phase phase = Phase.HEAD;
    private HeadReader reader = HeadReader.request();
    private @Nullable ByteBuf pending;
    private @Nullable Exchange exchange;
    private @Nullable AuditEntry audit;
    private @Nullable Origin origin;
    private @Nullable Future<?> opening;
    private @Nullable Future<?> timer;
    private boolean headTimerRuns;
    private boolean guestEof;
    private boolean processing;
    private int counted; // in waiting

    GuestConnection(
            ProxySettings settings,
            Gate gate,
            Upstreams upstreams,
            IdleBudget budget,
            WaitingBytes waiting,
            Auditor auditor,
            DuplexChannel channel) {
        this.waiting = waiting;
        this.auditor = auditor;
        this.origins = new Origins(upstreams, budget, channel.eventLoop());
        this.settings = settings;
        this.gate = gate;
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
        Origin o = origin;
        if (o != null) {
            o.flush();
        }
    }

    @Override
    public void channelWritabilityChanged(ChannelHandlerContext ctx) {
        Origin o = origin;
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
            case Admission.Tunnel t -> openTunnel(t.destination(), head);
            case Admission.Own own -> answerOwn(head, own);
            case Admission.Forward f when Exchange.isLastHop(head) -> answerLastHop(head, f);
            case Admission.Forward f -> openExchange(new Exchange(head, f, origins.settings(), channel.alloc()));
        }
    }

    private void answerLastHop(RequestHead head, Admission.Forward forward) {
        if (head.method().equals("TRACE")) {
            boolean closes = closesBehind(head, forward.framing());
            send(Exchange.reflection(channel.alloc(), head, closes), closes);
        } else {
            reply(Reply.ok("this is the proxy " + settings.pseudonym()), head, forward.framing());
        }
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
        boolean closes = closesBehind(head, framing);
        boolean withBody = !head.method().equals("HEAD");
        send(reply.encode(channel.alloc(), settings.pseudonym(), withBody, closes), closes);
    }

    private static boolean closesBehind(RequestHead head, BodyFraming framing) {
        return HopByHop.closes(head.version(), head.fields())
                || head.version() == HttpVersion.HTTP_1_0
                || !(framing instanceof BodyFraming.None);
    }

    private void send(ByteBuf answer, boolean closes) {
        channel.writeAndFlush(answer);
        if (closes) {
            finish();
        } else {
            nextRequest();
        }
    }

    /** Refuses what could not even be understood: nothing behind it can be trusted. */
    private void refuse(BadMessage bad) {
        log.debug("request refused: {} {}", bad.status(), bad.text());
        AuditEntry entry = audit != null ? audit : auditor.invalid(guest(), channel.eventLoop());
        audit = entry;
        Exchange x = exchange;
        closeOrigin();
        if (x == null || !x.responseStarted()) {
            entry.status(bad.status());
        }
        endAudit(bad.text());
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

    private void openTunnel(Destination destination, RequestHead head) {
        become(Phase.DIALING);
        audit = auditor.begin(AuditRecord.Kind.CONNECT, head.method(), fromGuest(destination), "", channel.eventLoop());
        String own = origins.settings().passAuthorization() ? head.fields().first("Proxy-Authorization") : null;
        Future<Way> way = origins.tunnel(fromGuest(destination), own, this::auditRule);
        opening = way;
        way.addListener(_ -> {
            opening = null;
            if (way.isSuccess()) { // cancelled with this connection otherwise
                onTunnel(destination, way.getNow(), own != null);
            }
        });
    }

    private void onTunnel(Destination destination, Way way, boolean own) {
        switch (way) {
            case Way.Remote r -> {
                audit(200, route(r.by()));
                auditRemote(r.channel());
                auditAuth(own ? BY_GUEST : r.auth());
                channel.write(Unpooled.copiedBuffer("HTTP/1.1 200 Connection established\r\n\r\n", US_ASCII));
                handOver(r.channel(), Unpooled.EMPTY_BUFFER);
            }
            case Way.Answered a -> {
                log.debug(
                        "CONNECT {}: the upstream proxy answers {}",
                        destination,
                        a.head().status());
                audit(a.head().status(), "");
                endAudit("the upstream proxy opens no tunnel");
                channel.write(Exchange.refusedTunnelHead(
                        channel.alloc(), a.head(), a.body().readableBytes(), origins.settings(), own));
                channel.writeAndFlush(a.body());
                finish();
            }
            case Way.Failed f -> {
                log.debug(
                        "CONNECT {}: {} {}",
                        destination,
                        f.why().status(),
                        f.why().text());
                audit(f.why().status(), "");
                endAudit(f.why().text());
                channel.writeAndFlush(f.why().encode(channel.alloc(), settings.pseudonym(), true, true));
                finish();
            }
            case Way.Proxy _ -> throw new IllegalStateException("a tunnel was asked for");
        }
    }

    /** Joins the channels for good. Takes ownership of {@code fromHost}, bytes that came early. */
    private void handOver(DuplexChannel host, ByteBuf fromHost) {
        AuditEntry entry = audit;
        audit = null;
        if (entry != null) {
            entry.addToGuest(fromHost.readableBytes());
            entry.addFromGuest(pending == null ? 0 : pending.readableBytes());
        }
        channel.writeAndFlush(fromHost);
        ByteBuf fromGuest = pending == null ? Unpooled.EMPTY_BUFFER : pending;
        pending = null;
        host.writeAndFlush(fromGuest);
        become(Phase.OVER);
        account();
        channel.pipeline().remove(this);
        TunnelLimit.watch(host, origins::settings, entry == null ? why -> {} : entry::endsFor);
        Future<Relay.Totals> relay = Relay.join(channel, host);
        if (entry != null) {
            entry.endWith(relay);
        }
    }

    // --- exchanges ---

    private void openExchange(Exchange x) {
        exchange = x;
        Destination to = fromGuest(x.forward().destination());
        audit = auditor.begin(gate.kind(), x.method(), to, x.forward().target(), channel.eventLoop());
        open(x, false);
    }

    /** {@code fresh}: on a connection that has not been used before. */
    private void open(Exchange x, boolean fresh) {
        become(Phase.DIALING);
        Future<Origins.Opened> opened = origins.open(x, fromGuest(x.forward().destination()), fresh, this::auditRule);
        opening = opened;
        opened.addListener(_ -> {
            opening = null;
            if (opened.isSuccess()) { // cancelled with this connection otherwise
                switch (opened.getNow()) {
                    case Origins.Opened.Ready r -> begin(x, r);
                    case Origins.Opened.Failed f -> fail(x, f.why());
                }
            }
        });
    }

    private void begin(Exchange x, Origins.Opened.Ready ready) {
        become(Phase.EXCHANGE);
        Origin connection = ready.origin();
        origin = connection;
        audit(0, connection instanceof ProxyConnection p ? route(p.proxy()) : route(ready.by()));
        auditRemote(connection.channel());
        connection.begin(x, new ResponseRelay(x, ready));
        connection.setReading(channel.isWritable());
        process();
        connection.flush();
    }

    /** Streams the body as long as the origin takes it; false, since the phase stays. */
    private boolean readRequestBody() throws BadMessage {
        Exchange x = exchange;
        Origin o = origin;
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

    private void writeToOrigin(Exchange x, Origin o, ByteBuf data) {
        AuditEntry entry = audit;
        if (entry != null) {
            entry.addFromGuest(data.readableBytes());
        }
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
        private final Origins.Opened.Ready ready;
        private final Origin connection;

        ResponseRelay(Exchange x, Origins.Opened.Ready ready) {
            this.x = x;
            this.ready = ready;
            this.connection = ready.origin();
        }

        @Override
        public void onInterim(ResponseHead head) {
            if (!x.isHttp10()) { // RFC 9110 §15.2
                channel.writeAndFlush(x.interimHead(head));
            }
        }

        @Override
        public void onHead(ResponseHead head, BodyFraming framing) {
            log.debug("{} {} -> {}", x.method(), x.forward().destination(), head.status());
            audit(head.status(), "");
            if (connection instanceof ProxyConnection p) {
                auditAuth(x.guestAuthorization() != null ? BY_GUEST : p.authScheme());
            }
            channel.write(x.responseHead(head, framing));
        }

        @Override
        public void onData(ByteBuf data) {
            AuditEntry entry = audit;
            if (entry != null) {
                entry.addToGuest(data.readableBytes());
            }
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
            endAudit("");
            origin = null;
            exchange = null;
            boolean requestDone = x.requestBody().isDone();
            if (reusable && requestDone) {
                origins.keep(ready, x.guestAuthorization());
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
            audit(head.status(), "");
            channel.write(x.switchedHead(head));
            handOver(connection.channel(), early);
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
                endAudit(why.text());
                reset(); // the guest must not take a cut response for a whole one
            } else if (ready.kept() && silent && x.mayRetry()) {
                exchange = x;
                open(x, true);
            } else {
                fail(x, why);
            }
        }
    }

    /**
     * An error instead of a response. The connection lives on only if the request has been read to its end. One that did not ask for a
     * proxy ends as it would have ended without us: a port scan sees no answer of ours, and the audit's record has the reason.
     */
    private void fail(Exchange x, Reply why) {
        log.debug("{} {}: {} {}", x.method(), x.forward().destination(), why.status(), why.text());
        if (gate.kind() == AuditRecord.Kind.TAKEN_REQUEST && why.isOfTheConnection()) {
            endAudit(why.text());
            reset();
            return;
        }
        boolean closes = x.closesGuest() || !x.requestBody().isDone();
        boolean withBody = !x.method().equals("HEAD");
        audit(why.status(), "");
        endAudit(why.text());
        channel.writeAndFlush(why.encode(channel.alloc(), settings.pseudonym(), withBody, closes));
        exchange = null;
        if (closes) {
            finish();
        } else {
            nextRequest();
            process();
        }
    }

    /** With who asks, which a policy may want to know. */
    private Destination fromGuest(Destination destination) {
        IpAddress guest = guest();
        return guest == null ? destination : destination.from(guest);
    }

    private @Nullable IpAddress guest() {
        return channel.remoteAddress() instanceof InetSocketAddress guest && !guest.isUnresolved()
                ? IpAddress.of(guest.getAddress())
                : null;
    }

    // --- the audit's entry of what is under way

    /** @param status of the answer, or 0; {@code route} as far as it is known, or empty */
    private void audit(int status, String route) {
        AuditEntry entry = audit;
        if (entry != null && status != 0) {
            entry.status(status);
        }
        if (entry != null && !route.isEmpty()) {
            entry.route(route);
        }
    }

    private void auditRule(String because) {
        AuditEntry entry = audit;
        if (entry != null) {
            entry.rule(because);
        }
    }

    private void auditRemote(DuplexChannel connection) {
        AuditEntry entry = audit;
        if (entry != null) {
            entry.connectedTo(connection);
        }
    }

    private void auditAuth(String scheme) {
        AuditEntry entry = audit;
        if (entry != null) {
            entry.auth(scheme);
        }
    }

    private static String route(@Nullable ProxyAddress by) {
        return by == null ? "DIRECT" : by.toString();
    }

    private void endAudit(String error) {
        AuditEntry entry = audit;
        audit = null;
        if (entry != null) {
            entry.end(error);
        }
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
        origins.closeAll();
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
        endAudit("the guest's connection ended");
        releasePending();
        closeOrigin();
        origins.closeAll();
        Future<?> o = opening;
        if (o != null) {
            o.cancel(false);
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
        Origin o = origin;
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
