package dev.longshore.backend;

import dev.longshore.config.VsockPorts;
import dev.longshore.portforward.GuestKey;
import dev.longshore.virtio.vsock.VsockHost;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.socket.DuplexChannel;
import io.netty.util.concurrent.Future;
import io.netty.util.concurrent.ScheduledFuture;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/** Commands to the guest's agent: a connection each, one line out, one line in. Thread-safe: the loop does the work. */
final class AgentClient {
    private static final int MAX_ANSWER_BYTES = 512;

    /** The guest gives dockerd half a minute to end. */
    private static final Duration ENGINE_LIMIT = Duration.ofSeconds(45);

    private final VsockHost host;
    private final Duration limit;

    AgentClient(VsockHost host, Duration limit) {
        this.host = host;
        this.limit = limit;
    }

    /** The agent's version. */
    CompletableFuture<String> ping() {
        return command("ping");
    }

    /** Hands over what requests of the guest have to begin with. */
    CompletableFuture<String> key(GuestKey key) {
        return command("key " + key.hex());
    }

    CompletableFuture<String> setTime(Instant now) {
        return command("time " + (now.getEpochSecond() * 1_000_000_000L + now.getNano()));
    }

    /** Has a socket in the guest, {@code /run/host-services/FILE}, whose callers reach the host's socket {@code name}. */
    CompletableFuture<String> socket(String name, String file) {
        return command("socket " + name + " " + file);
    }

    /** Certificates that the Engine trusts besides the image's own: lines of PEM, none longer than 500 characters. */
    CompletableFuture<String> authorities(List<String> lines) {
        StringBuilder text = new StringBuilder("authorities\n");
        lines.forEach(line -> text.append("| ").append(line).append('\n'));
        return command(text.append("authorities end").toString());
    }

    /** Does something with the Engine's process: {@code live-on}, {@code live-off}, {@code restart}; completes when it is done. */
    CompletableFuture<String> engine(String word) {
        return command("engine " + word, ENGINE_LIMIT);
    }

    /** Completes when the agent has understood; the guest goes down afterwards. */
    CompletableFuture<String> powerOff() {
        return command("poweroff");
    }

    /** What follows {@code ok}; fails with IOException if the agent is not there, is silent, or answers anything else. */
    private CompletableFuture<String> command(String line) {
        return command(line, limit);
    }

    private CompletableFuture<String> command(String line, Duration within) {
        CompletableFuture<String> answer = new CompletableFuture<>();
        Future<DuplexChannel> connecting = host.connect(VsockPorts.GUEST_CONTROL);
        connecting.addListener(done -> {
            if (connecting.isSuccess()) {
                talk(connecting.getNow(), line, within, answer);
            } else {
                answer.completeExceptionally(new IOException("the guest's agent can't be reached", connecting.cause()));
            }
        });
        return answer;
    }

    private static void talk(DuplexChannel channel, String line, Duration within, CompletableFuture<String> answer) {
        channel.pipeline().addLast(new AnswerReader(answer));
        ScheduledFuture<?> deadline = channel.eventLoop()
                .schedule(
                        () -> {
                            fail(answer, "the guest's agent is silent");
                            channel.close();
                        },
                        within.toMillis(),
                        TimeUnit.MILLISECONDS);
        channel.closeFuture().addListener(closed -> deadline.cancel(false));
        channel.writeAndFlush(ByteBufUtil.writeAscii(channel.alloc(), line + "\n"));
        channel.read();
        channel.config().setAutoRead(true);
    }

    private static void fail(CompletableFuture<String> answer, String text) {
        answer.completeExceptionally(new IOException(text));
    }

    /** Collects one line. Confined to the channel's event loop. */
    private static final class AnswerReader extends SimpleChannelInboundHandler<ByteBuf> {
        private final StringBuilder line = new StringBuilder();
        private final CompletableFuture<String> answer;

        AnswerReader(CompletableFuture<String> answer) {
            this.answer = answer;
        }

        @Override
        protected void channelRead0(ChannelHandlerContext ctx, ByteBuf bytes) {
            line.append(bytes.toString(StandardCharsets.US_ASCII));
            int end = line.indexOf("\n");
            if (end < 0 && line.length() <= MAX_ANSWER_BYTES) {
                return;
            }
            String text = line.substring(0, Math.max(end, 0)).trim();
            if (text.equals("ok") || text.startsWith("ok ")) {
                answer.complete(text.substring(2).trim());
            } else {
                fail(answer, "the guest's agent answered: " + text);
            }
            ctx.close();
        }

        @Override
        public void channelInactive(ChannelHandlerContext ctx) {
            fail(answer, "the guest's agent hung up");
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
            answer.completeExceptionally(new IOException("the connection to the guest's agent failed", cause));
            ctx.close();
        }
    }
}
