package dev.longshore.engine;

import dev.longshore.engine.http.BadMessage;
import dev.longshore.engine.http.BodyScanner;
import dev.longshore.engine.http.Framing;
import dev.longshore.engine.http.HeadScanner;
import dev.longshore.engine.http.ResponseHead;
import dev.longshore.engine.policy.ApiGate;
import dev.longshore.engine.policy.ApiRuling;
import dev.longshore.vpnkit.hostsocket.Relay;
import dev.longshore.vpnkit.hostsocket.ResetClose;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.EventLoop;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import io.netty.channel.socket.DuplexChannel;
import io.netty.handler.codec.ByteToMessageDecoder;
import io.netty.util.ReferenceCountUtil;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One connection to the Docker API and its stream into the guest. Requests are read one by one, so that each can be judged;
 * answers are only watched for their end. Confined to the event loop that both channels live on. It owns both and closes them
 * in all cases.
 *
 * <p>Theory of operation. A request's head is kept until it is complete and understood, then it goes to the Engine as it came,
 * and its body follows as it comes. The next head is not looked at before the answer is complete: that keeps answers in
 * order, ours among them, and leaves it open until then whether the bytes behind a request are a request at all. They
 * aren't if the answer hijacks the connection; then {@link Relay} carries the rest. An answer's head is kept until it is
 * complete, too, so that there is still room for an answer of ours if the Engine ends before that. A request that the policies
 * want to see is kept whole, and goes on, as it came or changed, when they have decided; so is an answer that has to be
 * corrected.
 *
 * <pre>
 *   asking              the caller's next bytes           answering           the Engine's next bytes
 *   HEAD                a head                            NOTHING             none are due
 *   BODY                a body, passed on                 HEAD                a head
 *   HELD                a body, kept                      BODY                a body
 *   JUDGED, ANSWERED    wait: they are looked at later    HELD                a body, kept
 *                                                         DONE                none are due, the request is not over
 * </pre>
 */
final class ApiConnection {
    private static final Logger LOG = LoggerFactory.getLogger(ApiConnection.class);
    private static final String CONTINUE = "HTTP/1.1 100 Continue\r\n\r\n";
    private static final String NO_ANSWER =
            "the Docker Engine ended before it answered; try again when longshore status says that it runs,"
                    + " longshore logs --console shows what the guest says";

    /** What its owner hears. */
    interface Listener {
        /** A request's head is there. */
        void onRequest();

        /** The Engine ended with a request unanswered, or before it got it. */
        void onNoAnswer();
    }

    private enum Asking {
        HEAD,
        BODY,
        HELD,
        JUDGED,
        ANSWERED
    }

    private enum Answering {
        NOTHING,
        HEAD,
        BODY,
        HELD,
        DONE
    }

    private final DuplexChannel caller;
    private final DuplexChannel engine;
    private final EventLoop loop;
    private final ApiGate gate;
    private final Listener listener;
    private final CallerSide callerSide = new CallerSide();
    private final EngineSide engineSide = new EngineSide();

    private final HeadScanner requests = HeadScanner.ofRequests();
    private final HeadScanner answers = HeadScanner.ofResponses();
    private Asking asking = Asking.HEAD;
    private Answering answering = Answering.NOTHING;
    private @Nullable ByteBuf input; // of the caller, not looked at or not complete
    private @Nullable ByteBuf output; // of the Engine, the same
    private @Nullable Exchange exchange;
    private @Nullable BodyScanner requestBody;
    private @Nullable BodyScanner answerBody;
    private @Nullable HeldMessage held; // a request
    private @Nullable HeldMessage heldAnswer;
    private @Nullable ResponseHead heldAnswerHead;
    private boolean answerBegun; // bytes of the final answer have been passed on
    private boolean lastExchange;
    private boolean callerEof;
    private boolean eofPassed;
    private boolean taking; // takeInput() is on the stack
    private boolean ended;
    private boolean relayed; // ended for us, and open

    private ApiConnection(DuplexChannel caller, DuplexChannel engine, ApiGate gate, Listener listener) {
        this.caller = caller;
        this.engine = engine;
        this.loop = caller.eventLoop();
        this.gate = gate;
        this.listener = listener;
    }

    /**
     * Begins to read. Takes ownership of both channels, which may be half-closed or closed already; {@link Early} has kept what
     * the caller sent until now.
     *
     * @param listener called on the loop
     */
    static ApiConnection start(DuplexChannel caller, DuplexChannel engine, ApiGate gate, Listener listener) {
        ApiConnection connection = new ApiConnection(caller, engine, gate, listener);
        assert connection.loop.inEventLoop();
        connection.start();
        return connection;
    }

    /**
     * False if nobody would miss the Engine now: there is no request, or one for the Engine's events, which who follows them asks
     * for again.
     */
    boolean isBusy() {
        Exchange current = exchange;
        boolean follows = current != null && current.request().path().equals("/events") && asking == Asking.ANSWERED;
        return relayed || (!ended && !follows && (current != null || input != null));
    }

    private void start() {
        engine.pipeline().addLast(engineSide);
        caller.pipeline().addLast(callerSide);
        Early.release(caller, this::onCallerBytes);
        flushAndRead();
        if (!ended && !caller.isActive()) {
            onCallerGone();
        } else if (!ended && caller.isInputShutdown()) {
            onCallerEof();
        }
        if (!ended && (!engine.isActive() || engine.isInputShutdown())) {
            onEngineEnd(false);
        }
    }

    // ---- the caller

    private void onCallerBytes(ByteBuf b) {
        if (ended) {
            b.release();
            return;
        }
        input = joined(input, b);
        takeInput();
    }

    private ByteBuf joined(@Nullable ByteBuf before, ByteBuf b) {
        return before == null ? b : ByteToMessageDecoder.MERGE_CUMULATOR.cumulate(caller.alloc(), before, b);
    }

    /** As far as it goes. */
    private void takeInput() {
        taking = true;
        try {
            while (!ended && input != null && input.isReadable() && takeSome(input)) {
                // takeSome() went on
            }
        } catch (BadMessage e) {
            refuseAndEnd(e.status(), e.text());
        }
        taking = false;
        if (input != null && !input.isReadable()) {
            input.release();
            input = null;
        }
        if (!ended && callerEof) {
            atCallerEof();
        }
    }

    /** False if nothing more can be done with what there is. */
    private boolean takeSome(ByteBuf in) throws BadMessage {
        return switch (asking) {
            case HEAD -> takeHead(in);
            case BODY -> passBody(in);
            case HELD -> keepBody(in);
            case JUDGED, ANSWERED -> false;
        };
    }

    private boolean takeHead(ByteBuf in) throws BadMessage {
        int length = requests.scan(in);
        if (length == 0) {
            return false;
        }
        Exchange next = Exchange.of(requests.request(in, length));
        ByteBuf head = in.readRetainedSlice(length);
        exchange = next;
        listener.onRequest();
        lastExchange = next.head().closes();
        answerBegun = false;
        if (gate.concerns(next.request())) {
            hold(next, head);
        } else {
            begin(BodyScanner.ofRequest(next.framing(), BodyScanner.IGNORED));
            toEngine(head);
            endRequestIfDone();
        }
        return true;
    }

    private void begin(BodyScanner body) {
        requestBody = body;
        asking = Asking.BODY;
        answering = Answering.HEAD;
    }

    private boolean passBody(ByteBuf in) throws BadMessage {
        BodyScanner body = requestBody;
        if (body == null) {
            throw new IllegalStateException("no body");
        }
        int n = body.scan(in, in.readerIndex(), in.readableBytes());
        if (n == in.readableBytes()) {
            input = null;
            toEngine(in);
        } else {
            toEngine(in.readRetainedSlice(n));
        }
        endRequestIfDone();
        return true;
    }

    private void endRequestIfDone() {
        if (!ended && requestBody != null && requestBody.isDone()) {
            requestBody = null;
            asking = Asking.ANSWERED;
            endExchangeIfDone();
        }
    }

    private void toEngine(ByteBuf b) {
        engine.write(b, engine.voidPromise()); // a failure arrives as exceptionCaught there
    }

    // ---- a request that is judged

    private void hold(Exchange next, ByteBuf head) throws BadMessage {
        try {
            if (next.framing() instanceof Framing.Length length && length.bytes() > HeldMessage.MAX_BODY_BYTES) {
                throw tooLarge(next);
            }
            held = new HeldMessage(head, content -> BodyScanner.ofRequest(next.framing(), content), caller.alloc());
        } finally {
            head.release();
        }
        asking = Asking.HELD;
        if (held.isComplete()) {
            judge(next, held);
        } else if (next.head().expectsContinue()) {
            toCaller(Unpooled.copiedBuffer(CONTINUE, StandardCharsets.US_ASCII));
            caller.flush();
        }
    }

    private static BadMessage tooLarge(Exchange exchange) {
        return new BadMessage(
                413,
                "the body of " + exchange.request().text() + " is larger than " + (HeldMessage.MAX_BODY_BYTES >> 20)
                        + " MiB");
    }

    private boolean keepBody(ByteBuf in) throws BadMessage {
        HeldMessage request = held;
        Exchange current = exchange;
        if (request == null || current == null) {
            throw new IllegalStateException("nothing is held");
        }
        if (!request.take(in)) {
            throw tooLarge(current);
        }
        if (request.isComplete()) {
            judge(current, request);
        }
        return true;
    }

    private void judge(Exchange current, HeldMessage request) {
        asking = Asking.JUDGED;
        CompletionStage<ApiRuling> ruling = gate.judge(current.request(), request.content());
        ruling.whenComplete((r, failure) -> {
            if (loop.inEventLoop()) {
                onRuling(current, r, failure);
            } else {
                loop.execute(() -> onRuling(current, r, failure));
            }
        });
    }

    private void onRuling(Exchange current, @Nullable ApiRuling ruling, @Nullable Throwable failure) {
        HeldMessage request = held;
        if (ended || request == null) {
            return; // one of the ends has gone meanwhile
        }
        held = null;
        if (ruling == null) {
            LOG.error("{} could not be judged", current.request().text(), failure);
            request.release();
            refuse(500, "internal error of Longshore; its log says more");
        } else {
            switch (ruling) {
                case ApiRuling.AsItCame _ ->
                    passHeld(
                            current.head().expectsContinue()
                                    ? request.behind(current.head().withoutExpectation())
                                    : request.asItCame());
                case ApiRuling.WithBody changed ->
                    passHeld(request.replaced(current.head().forBody(changed.json().length), changed.json()));
                case ApiRuling.Refusal refusal -> {
                    request.release();
                    LOG.debug("{}: {} {}", current.request().text(), refusal.status(), refusal.message());
                    refuse(refusal.status(), refusal.message());
                }
            }
        }
        if (!taking) { // else its loop goes on
            takeInput();
            flushAndRead();
        }
    }

    private void passHeld(ByteBuf request) {
        asking = Asking.ANSWERED;
        answering = Answering.HEAD;
        toEngine(request);
    }

    /** An answer of ours to a request that has been read to its end and was not passed on. */
    private void refuse(int status, String message) {
        Exchange current = exchange;
        boolean toHead = current != null && current.isHead();
        toCaller(Replies.error(caller.alloc(), status, message, toHead, lastExchange));
        asking = Asking.ANSWERED;
        answering = Answering.DONE;
        endExchangeIfDone();
    }

    // ---- the Engine

    private void onEngineBytes(ByteBuf b) {
        if (ended) {
            b.release();
            return;
        }
        output = joined(output, b);
        try {
            while (!ended && output != null && output.isReadable() && watchSome(output)) {
                // watchSome() went on
            }
        } catch (BadMessage e) {
            LOG.warn("an answer of the Docker Engine was not understood: {}", e.text());
            endUnanswered(502, e.text());
        }
        if (output != null && !output.isReadable()) {
            output.release();
            output = null;
        }
    }

    private boolean watchSome(ByteBuf out) throws BadMessage {
        switch (answering) {
            case HEAD -> {
                return watchHead(out);
            }
            case BODY -> watchBody(out);
            case HELD -> keepAnswer(out);
            case NOTHING, DONE -> {
                LOG.warn("the Docker Engine sent {} bytes that nobody asked for", out.readableBytes());
                endAbruptly();
            }
        }
        return true;
    }

    private boolean watchHead(ByteBuf out) throws BadMessage {
        int length = answers.scan(out);
        Exchange current = exchange;
        if (length == 0 || current == null) {
            return false;
        }
        ResponseHead head = answers.response(out, length);
        Framing framing = Framing.ofResponse(head, current.isHead());
        if (head.status() == 101 && !current.mayUpgrade()) {
            throw new BadMessage(502, "the Docker Engine changed protocols, which was not allowed here");
        }
        if (mustHold(current, head, framing)) {
            heldAnswerHead = head;
            heldAnswer = new HeldMessage(
                    out.readSlice(length), content -> BodyScanner.ofResponse(framing, content), caller.alloc());
            lastExchange |= head.closes();
            answering = Answering.HELD;
            return true;
        }
        toCaller(out.readRetainedSlice(length));
        if (ended || head.isInterim()) {
            return true;
        }
        answerBegun = true;
        if (current.hijacks(head, framing)) {
            becomeRelay();
            return false;
        }
        answerBody = BodyScanner.ofResponse(framing, BodyScanner.IGNORED);
        lastExchange |= head.closes() || framing instanceof Framing.UntilClose;
        answering = Answering.BODY;
        endAnswerIfDone();
        return true;
    }

    private boolean mustHold(Exchange current, ResponseHead head, Framing framing) {
        return head.status() == 200
                && gate.concernsAnswer(current.request())
                && !head.fields().has("Content-Encoding")
                && (framing instanceof Framing.Chunked
                        || (framing instanceof Framing.Length length
                                && length.bytes() > 0
                                && length.bytes() <= HeldMessage.MAX_BODY_BYTES));
    }

    private void keepAnswer(ByteBuf out) throws BadMessage {
        HeldMessage answer = heldAnswer;
        ResponseHead head = heldAnswerHead;
        Exchange current = exchange;
        if (answer == null || head == null || current == null) {
            throw new IllegalStateException("no answer is held");
        }
        boolean fits = answer.take(out);
        if (fits && !answer.isComplete()) {
            return;
        }
        heldAnswer = null;
        heldAnswerHead = null;
        answerBegun = true;
        answerBody = answer.body();
        answering = Answering.BODY;
        if (fits) {
            Optional<byte[]> shown = gate.corrected(current.request(), answer.content());
            toCaller(
                    shown.isPresent()
                            ? answer.replaced(head.forBody(shown.get().length), shown.get())
                            : answer.asItCame());
        } else {
            LOG.warn(
                    "the answer to {} is too large to be corrected",
                    current.request().text());
            toCaller(answer.asItCame());
        }
        endAnswerIfDone();
    }

    private void watchBody(ByteBuf out) throws BadMessage {
        BodyScanner body = answerBody;
        if (body == null) {
            throw new IllegalStateException("no body");
        }
        int n = body.scan(out, out.readerIndex(), out.readableBytes());
        if (n == out.readableBytes()) {
            output = null;
            toCaller(out);
        } else {
            toCaller(out.readRetainedSlice(n));
        }
        endAnswerIfDone();
    }

    private void endAnswerIfDone() {
        if (!ended && answerBody != null && answerBody.isDone()) {
            answerBody = null;
            answering = Answering.DONE;
            if (endExchangeIfDone()) {
                takeInput();
                engine.flush();
            }
        }
    }

    private void toCaller(ByteBuf b) {
        caller.write(b, caller.voidPromise());
    }

    /** Both done: the next request, or the end. True if there was an end of an exchange. */
    private boolean endExchangeIfDone() {
        if (ended || asking != Asking.ANSWERED || answering != Answering.DONE) {
            return false;
        }
        exchange = null;
        asking = Asking.HEAD;
        answering = Answering.NOTHING;
        if (lastExchange) {
            end(Unpooled.EMPTY_BUFFER);
        }
        return true;
    }

    /** From here on it is not HTTP: bytes both ways, each with an end of its own. */
    private void becomeRelay() {
        ended = true;
        relayed = true;
        caller.pipeline().remove(callerSide);
        engine.pipeline().remove(engineSide);
        ByteBuf early = input;
        ByteBuf late = output;
        input = null;
        output = null;
        if (early != null) {
            toEngine(early);
        }
        if (late != null) {
            toCaller(late);
        }
        engine.flush();
        caller.flush();
        Relay.join(caller, engine);
    }

    // ---- reading, and not

    private void flushAndRead() {
        if (!ended) {
            engine.flush();
            caller.flush();
            adjustReading();
        }
    }

    /** Neither side is read faster than the other takes, and nothing is read that can't be looked at yet. */
    private void adjustReading() {
        if (ended) {
            return;
        }
        boolean wanted =
                switch (asking) {
                    case HEAD, BODY -> engine.isWritable() && caller.isWritable();
                    case HELD -> true;
                    case JUDGED, ANSWERED -> input == null; // so that the end of the caller is seen
                };
        caller.config().setAutoRead(wanted);
        engine.config().setAutoRead(caller.isWritable());
    }

    // ---- ends

    private void onCallerEof() {
        if (ended || callerEof) {
            return;
        }
        callerEof = true;
        atCallerEof();
    }

    /** What has not been looked at yet may still be whole requests; they come first. */
    private void atCallerEof() {
        if (asking == Asking.HELD) {
            refuseAndEnd(400, "the request ended before its body did");
        } else if (asking == Asking.HEAD && input != null) {
            refuseAndEnd(400, "the request ended before its head did");
        } else {
            passEof();
        }
    }

    /** Behind all that the caller said. The Engine gives up what nobody waits for any more, or answers all the same. */
    private void passEof() {
        if (!eofPassed && input == null && held == null) {
            eofPassed = true;
            engine.writeAndFlush(Unpooled.EMPTY_BUFFER).addListener(written -> {
                if (written.isSuccess() && engine.isActive() && !engine.isOutputShutdown()) {
                    engine.shutdownOutput();
                }
            });
        }
    }

    private void onCallerGone() {
        if (ended) {
            return;
        }
        boolean incomplete = asking == Asking.BODY;
        finish();
        if (incomplete) {
            ResetClose.close(engine);
        } else {
            // What it asked for at last is done, as far as the Engine does it without an audience.
            engine.writeAndFlush(Unpooled.EMPTY_BUFFER).addListener(written -> engine.close());
        }
    }

    /** @param failed true if the stream broke, false if the Engine ended it */
    private void onEngineEnd(boolean failed) {
        if (ended) {
            return;
        }
        boolean bodyEnds = answering == Answering.BODY && answerBody != null && answerBody.endsWithStream() && !failed;
        if (exchange == null || answering == Answering.DONE || bodyEnds) {
            end(Unpooled.EMPTY_BUFFER);
        } else {
            listener.onNoAnswer();
            endUnanswered(503, NO_ANSWER);
        }
    }

    /** The Engine's part of this exchange is over, its answer is not. */
    private void endUnanswered(int status, String message) {
        if (answerBegun) {
            endAbruptly();
        } else {
            refuseAndEnd(status, message);
        }
    }

    private void refuseAndEnd(int status, String message) {
        if (answerBegun && exchange != null) {
            endAbruptly(); // there is an answer already, and this is not a part of it
            return;
        }
        LOG.debug("refused: {} {}", status, message);
        Exchange current = exchange;
        end(Replies.error(caller.alloc(), status, message, current != null && current.isHead(), true));
    }

    /** The caller gets {@code last} and what has been written before, then the connection ends. */
    private void end(ByteBuf last) {
        finish();
        if (asking == Asking.BODY) {
            ResetClose.close(engine); // a request that is cut off must not look like a whole one
        } else {
            engine.close();
        }
        if (caller.pipeline().context(callerSide) != null) {
            caller.pipeline().remove(callerSide);
        }
        Farewell.say(caller, last);
    }

    /** An answer that is cut off must not look like a whole one: no end of stream before the close. */
    private void endAbruptly() {
        finish();
        ResetClose.close(engine);
        caller.writeAndFlush(Unpooled.EMPTY_BUFFER).addListener(written -> ResetClose.close(caller));
    }

    /** The one way out: the handlers do no more after this than to drop what still comes. */
    private void finish() {
        ended = true;
        if (input != null) {
            input.release();
            input = null;
        }
        if (output != null) {
            output.release();
            output = null;
        }
        if (held != null) {
            held.release();
            held = null;
        }
        if (heldAnswer != null) {
            heldAnswer.release();
            heldAnswer = null;
        }
    }

    private static void logBug(Throwable cause) {
        if (!(cause instanceof IOException)) {
            LOG.error("a connection to the Docker API ends by a bug", cause);
        }
    }

    /** What both ends have in common. */
    private abstract class Side extends ChannelInboundHandlerAdapter {
        abstract void onBytes(ByteBuf b);

        @Override
        public void channelRead(ChannelHandlerContext ctx, Object msg) {
            if (msg instanceof ByteBuf b) {
                onBytes(b);
            } else {
                ReferenceCountUtil.release(msg);
            }
        }

        @Override
        public void channelWritabilityChanged(ChannelHandlerContext ctx) {
            adjustReading();
        }

        @Override
        public void channelReadComplete(ChannelHandlerContext ctx) {
            flushAndRead();
        }
    }

    private final class CallerSide extends Side {
        @Override
        void onBytes(ByteBuf b) {
            onCallerBytes(b);
        }

        @Override
        public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
            if (event instanceof ChannelInputShutdownEvent) {
                onCallerEof();
            }
        }

        @Override
        public void channelInactive(ChannelHandlerContext ctx) {
            onCallerGone();
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
            logBug(cause);
            onCallerGone();
            ctx.close();
        }
    }

    private final class EngineSide extends Side {
        @Override
        void onBytes(ByteBuf b) {
            onEngineBytes(b);
        }

        @Override
        public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
            if (event instanceof ChannelInputShutdownEvent) {
                onEngineEnd(false);
            }
        }

        @Override
        public void channelInactive(ChannelHandlerContext ctx) {
            onEngineEnd(false);
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
            logBug(cause);
            onEngineEnd(true);
            ctx.close();
        }
    }
}
