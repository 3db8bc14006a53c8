package dev.longshore.engine.client;

import dev.longshore.engine.EngineDialer;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import io.netty.channel.socket.DuplexChannel;
import io.netty.handler.codec.http.DefaultFullHttpRequest;
import io.netty.handler.codec.http.FullHttpResponse;
import io.netty.handler.codec.http.HttpClientCodec;
import io.netty.handler.codec.http.HttpContent;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpMethod;
import io.netty.handler.codec.http.HttpObject;
import io.netty.handler.codec.http.HttpObjectAggregator;
import io.netty.handler.codec.http.HttpResponse;
import io.netty.handler.codec.http.HttpVersion;
import io.netty.handler.codec.http.LastHttpContent;
import io.netty.util.concurrent.Future;
import io.netty.util.concurrent.Promise;
import io.netty.util.concurrent.ScheduledFuture;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.concurrent.TimeUnit;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Questions to the Engine, a stream each. Confined to the dialer's loop. */
public final class EngineClient {
    /** A list of some thousand containers. */
    private static final int MAX_ANSWER_BYTES = 32 * 1024 * 1024;

    private static final int MAX_EVENT_BYTES = 1024 * 1024;
    private static final long TIMEOUT_SECONDS = 20;

    private final EngineDialer dialer;
    private final JsonMapper json = JsonMapper.shared();

    public EngineClient(EngineDialer dialer) {
        this.dialer = dialer;
    }

    /**
     * An answer.
     *
     * @param body what JSON there is, missing if it is none
     */
    public record Answer(int status, JsonNode body) {}

    /** Hears a stream of events. */
    public interface EventListener {
        /** The Engine has answered: what happens from now on is told. */
        void onOpen();

        void onEvent(JsonNode event);

        /** Once, the last call, also if the stream never opened. */
        void onEnd();
    }

    /** Fails with an IOException if there is no answer in time. */
    public Future<Answer> get(String path) {
        Promise<Answer> promise = dialer.loop().newPromise();
        ScheduledFuture<?> timer = dialer.loop()
                .schedule(
                        () -> promise.tryFailure(new IOException("no answer to " + path)),
                        TIMEOUT_SECONDS,
                        TimeUnit.SECONDS);
        promise.addListener(done -> timer.cancel(false));
        connect(path, promise, new HttpObjectAggregator(MAX_ANSWER_BYTES), new AnswerHandler(promise));
        return promise;
    }

    /** The containers that run, as an array of JSON. Fails with an IOException as {@link #get}. */
    public Future<JsonNode> containers() {
        Promise<JsonNode> promise = dialer.loop().newPromise();
        get("/containers/json").addListener((Future<Answer> f) -> {
            if (f.isSuccess() && f.getNow().status() == 200) {
                promise.setSuccess(f.getNow().body());
            } else {
                promise.setFailure(
                        f.isSuccess() ? new IOException("status " + f.getNow().status()) : f.cause());
            }
        });
        return promise;
    }

    private void connect(String path, Promise<?> promise, ChannelHandler... handlers) {
        Future<DuplexChannel> connecting = dialer.connect();
        promise.addListener(done -> connecting.cancel(false));
        connecting.addListener((Future<DuplexChannel> connected) -> {
            if (!connected.isSuccess()) {
                promise.tryFailure(connected.cause());
                return;
            }
            DuplexChannel channel = connected.getNow();
            promise.addListener(done -> channel.close());
            if (promise.isDone()) {
                return;
            }
            channel.pipeline().addLast(new HttpClientCodec()).addLast(handlers);
            channel.config().setAutoRead(true);
            DefaultFullHttpRequest request =
                    new DefaultFullHttpRequest(HttpVersion.HTTP_1_1, HttpMethod.GET, path, Unpooled.EMPTY_BUFFER);
            request.headers().set(HttpHeaderNames.HOST, "docker").set(HttpHeaderNames.USER_AGENT, "longshore");
            channel.writeAndFlush(request);
        });
    }

    /** Follows events until the stream ends, or the returned future is cancelled. */
    public Future<?> events(String path, EventListener listener) {
        Promise<Object> end = dialer.loop().newPromise();
        end.addListener(done -> listener.onEnd());
        connect(path, end, new EventHandler(end, listener));
        return end;
    }

    private JsonNode parse(byte[] text) {
        try {
            return json.readTree(text);
        } catch (JacksonException e) {
            return json.missingNode();
        }
    }

    /** What both kinds of stream have in common: whatever ends the stream ends the promise. */
    private abstract static class Ending<T> extends SimpleChannelInboundHandler<T> {
        final Promise<?> promise;

        Ending(Promise<?> promise) {
            this.promise = promise;
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
            promise.tryFailure(cause);
        }

        @Override
        public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
            if (event instanceof ChannelInputShutdownEvent) {
                promise.tryFailure(new IOException("the stream ended"));
            }
        }

        @Override
        public void channelInactive(ChannelHandlerContext ctx) {
            promise.tryFailure(new IOException("the stream was closed"));
        }
    }

    private final class AnswerHandler extends Ending<FullHttpResponse> {
        private final Promise<Answer> answer;

        AnswerHandler(Promise<Answer> answer) {
            super(answer);
            this.answer = answer;
        }

        @Override
        protected void channelRead0(ChannelHandlerContext ctx, FullHttpResponse response) {
            byte[] body = new byte[response.content().readableBytes()];
            response.content().readBytes(body);
            answer.trySuccess(new Answer(response.status().code(), parse(body)));
        }
    }

    /** One JSON object a line. */
    private final class EventHandler extends Ending<HttpObject> {
        private final EventListener listener;
        private final ByteArrayOutputStream line = new ByteArrayOutputStream();

        EventHandler(Promise<?> promise, EventListener listener) {
            super(promise);
            this.listener = listener;
        }

        @Override
        protected void channelRead0(ChannelHandlerContext ctx, HttpObject part) {
            if (promise.isDone()) {
                return;
            }
            if (part instanceof HttpResponse response) {
                if (response.status().code() != 200) {
                    promise.tryFailure(new IOException("events: " + response.status()));
                    return;
                }
                listener.onOpen();
            }
            if (part instanceof HttpContent content) {
                take(content.content());
            }
            if (part instanceof LastHttpContent) {
                promise.tryFailure(new IOException("the stream of events ended"));
            }
        }

        private void take(ByteBuf bytes) {
            while (bytes.isReadable()) {
                byte b = bytes.readByte();
                if (b != '\n') {
                    line.write(b);
                } else if (line.size() > 0) {
                    listener.onEvent(parse(line.toByteArray()));
                    line.reset();
                }
            }
            if (line.size() > MAX_EVENT_BYTES) {
                promise.tryFailure(new IOException("an event without an end"));
            }
        }
    }
}
