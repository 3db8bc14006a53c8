package dev.longshore.engine;

import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import io.netty.channel.socket.DuplexChannel;
import io.netty.handler.codec.http.DefaultFullHttpRequest;
import io.netty.handler.codec.http.FullHttpResponse;
import io.netty.handler.codec.http.HttpClientCodec;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpMethod;
import io.netty.handler.codec.http.HttpObjectAggregator;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpVersion;
import io.netty.util.concurrent.Future;
import io.netty.util.concurrent.Promise;
import io.netty.util.concurrent.ScheduledFuture;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Asks the Engine whether it answers: {@code GET /_ping}, then {@code GET /version}, on one stream. Immutable; thread-safe. */
final class EngineProbe {
    /** The answer to /version is about 1 KB. */
    private static final int MAX_ANSWER_BYTES = 256 * 1024;

    private final EngineDialer dialer;
    private final JsonMapper json = JsonMapper.shared();

    EngineProbe(EngineDialer dialer) {
        this.dialer = dialer;
    }

    /** One attempt. Fails with an IOException that says what was wrong. Called on the dialer's loop, completes there. */
    Future<EngineFacts> probe(Duration timeout) {
        Promise<EngineFacts> promise = dialer.loop().newPromise();
        Future<DuplexChannel> connecting = dialer.connect();
        ScheduledFuture<?> timer = dialer.loop()
                .schedule(
                        () -> {
                            promise.tryFailure(new IOException("no answer within " + timeout.toMillis() + " ms"));
                            connecting.cancel(false);
                        },
                        timeout.toNanos(),
                        TimeUnit.NANOSECONDS);
        promise.addListener(done -> timer.cancel(false));
        connecting.addListener((Future<DuplexChannel> connected) -> {
            if (connected.isSuccess()) {
                ask(connected.getNow(), promise);
            } else if (!connected.isCancelled()) {
                promise.tryFailure(connected.cause());
            }
        });
        return promise;
    }

    private void ask(DuplexChannel channel, Promise<EngineFacts> promise) {
        promise.addListener(done -> channel.close());
        if (promise.isDone()) {
            return;
        }
        channel.pipeline()
                .addLast(new HttpClientCodec(), new HttpObjectAggregator(MAX_ANSWER_BYTES), new Exchange(promise));
        channel.config().setAutoRead(true);
        get(channel, "/_ping");
    }

    private static void get(DuplexChannel channel, String path) {
        DefaultFullHttpRequest request =
                new DefaultFullHttpRequest(HttpVersion.HTTP_1_1, HttpMethod.GET, path, Unpooled.EMPTY_BUFFER);
        request.headers().set(HttpHeaderNames.HOST, "docker").set(HttpHeaderNames.USER_AGENT, "longshore");
        channel.writeAndFlush(request);
    }

    private EngineFacts facts(String body) throws IOException {
        try {
            JsonNode root = json.readTree(body);
            return new EngineFacts(
                    text(root, "Version"),
                    text(root, "ApiVersion"),
                    text(root, "MinAPIVersion"),
                    text(root, "Os"),
                    text(root, "Arch"),
                    text(root, "KernelVersion"));
        } catch (JacksonException e) {
            throw new IOException("the answer to /version is not JSON", e);
        }
    }

    private static String text(JsonNode root, String field) {
        return root.path(field).asString("");
    }

    /** The two answers, one after the other. Confined to the channel's event loop. */
    private final class Exchange extends SimpleChannelInboundHandler<FullHttpResponse> {
        private final Promise<EngineFacts> promise;
        private boolean pinged;

        Exchange(Promise<EngineFacts> promise) {
            this.promise = promise;
        }

        @Override
        protected void channelRead0(ChannelHandlerContext ctx, FullHttpResponse answer) throws IOException {
            if (!answer.status().equals(HttpResponseStatus.OK)) {
                throw new IOException((pinged ? "/version" : "/_ping") + " was answered by " + answer.status());
            }
            if (pinged) {
                promise.trySuccess(facts(answer.content().toString(StandardCharsets.UTF_8)));
            } else {
                pinged = true;
                get((DuplexChannel) ctx.channel(), "/version");
            }
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
            promise.tryFailure(cause);
        }

        @Override
        public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
            if (event instanceof ChannelInputShutdownEvent) {
                promise.tryFailure(new IOException("the stream ended before the answer"));
            }
        }

        @Override
        public void channelInactive(ChannelHandlerContext ctx) {
            promise.tryFailure(new IOException("the stream was closed before the answer"));
        }
    }
}
