package dev.longshore.vpnkit.gateway;

import dev.longshore.packet.wire.DnsMessage;
import io.netty.bootstrap.Bootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelOption;
import io.netty.channel.FixedRecvByteBufAllocator;
import io.netty.channel.epoll.EpollDatagramChannel;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.channel.socket.DatagramPacket;
import io.netty.channel.socket.SocketProtocolFamily;
import io.netty.util.ReferenceCountUtil;
import io.netty.util.concurrent.ScheduledFuture;
import java.net.Inet4Address;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * One question on its way to the host's resolvers. Confined to the link's event loop.
 *
 * <p>Theory of operation: resolvers are asked in turn, the next one when the last refused or was silent for a second; each
 * attempt has a socket of its own, on a random port, connected (so that the kernel takes answers from that resolver only),
 * and a random id. Earlier attempts go on listening: a slow answer is as good as a fast one. SERVFAIL and REFUSED of a
 * resolver make us ask the next, and are passed on if nobody says better. After 4.5 s, shortly before the C library in
 * the guest gives up, the answer is SERVFAIL.
 */
final class DnsExchange {
    private static final long ATTEMPT_MILLIS = 1000;
    private static final long TOTAL_MILLIS = 4500;
    private static final int MAX_ATTEMPTS = 6;

    private final DnsForwarder forwarder;
    private final List<InetSocketAddress> servers;
    private final int first;
    private final ByteBuf query;
    private final int questionEnd;
    private final int clientId;
    private final boolean tcp;
    private final DnsAnswers to;
    private final List<Attempt> attempts = new ArrayList<>();
    private int failed;
    private @Nullable ByteBuf secondBest;
    private @Nullable ScheduledFuture<?> attemptTimer;
    private @Nullable ScheduledFuture<?> totalTimer;
    private boolean done;

    /** Takes ownership of {@code query}, whose one question ends at {@code questionEnd}. */
    DnsExchange(
            DnsForwarder forwarder,
            List<InetSocketAddress> servers,
            int first,
            ByteBuf query,
            int questionEnd,
            boolean tcp,
            DnsAnswers to) {
        this.forwarder = forwarder;
        this.servers = servers;
        this.first = first;
        this.query = query;
        this.questionEnd = questionEnd;
        this.clientId = DnsMessage.id(query, 0);
        this.tcp = tcp;
        this.to = to;
    }

    List<InetSocketAddress> servers() {
        return servers;
    }

    void start() {
        totalTimer = forwarder.loop().schedule(this::giveUp, TOTAL_MILLIS, TimeUnit.MILLISECONDS);
        next();
    }

    /** Asks the next resolver; when every one has failed for good, there is nothing left to wait for. */
    private void next() {
        cancel(attemptTimer);
        boolean noneLeft = attempts.size() >= MAX_ATTEMPTS
                || failed >= 2 * servers.size()
                || (!attempts.isEmpty() && !forwarder.hasSocketToSpare());
        boolean allRefused = failed == attempts.size() && failed >= servers.size();
        if (allRefused) {
            giveUp();
            return;
        }
        if (noneLeft) {
            return; // the earlier attempts still listen, until the time is up
        }
        if (!attempts.isEmpty()) {
            forwarder.counters().increment(GatewayCounter.DNS_RETRIES);
        }
        int server = (first + attempts.size()) % servers.size();
        Attempt attempt = tcp ? new TcpAttempt(server) : new UdpAttempt(server);
        attempts.add(attempt);
        attemptTimer = forwarder.loop().schedule(this::next, ATTEMPT_MILLIS, TimeUnit.MILLISECONDS);
        attempt.start();
    }

    /** The question with this attempt's id; the caller owns it. */
    private ByteBuf question(int id) {
        ByteBuf q = query.copy();
        DnsMessage.setId(q, 0, id);
        return q;
    }

    /** Takes ownership of a checked answer. */
    private void onAnswer(ByteBuf message, int server) {
        int rcode = DnsMessage.rcode(message, 0);
        DnsMessage.setId(message, 0, clientId);
        if (rcode == DnsMessage.RCODE_SERVFAIL || rcode == DnsMessage.RCODE_REFUSED) {
            ByteBuf worse = secondBest;
            if (worse != null) {
                worse.release();
            }
            secondBest = message;
            return; // the attempt reports itself as failed
        }
        forwarder.counters().increment(GatewayCounter.DNS_RELAYED);
        end(message, server);
    }

    private void onFailed() {
        failed++;
        if (!done) {
            next();
        }
    }

    /** Nobody answered. */
    void giveUp() {
        if (done) {
            return;
        }
        ByteBuf best = secondBest;
        secondBest = null;
        if (best == null) {
            forwarder.counters().increment(GatewayCounter.DNS_FAILED);
            best = DnsServer.servfail(DnsForwarder.allocator(), query, questionEnd, clientId);
        } else {
            forwarder.counters().increment(GatewayCounter.DNS_RELAYED);
        }
        end(best, -1);
    }

    /** The one way it ends. Takes ownership of {@code message}. */
    private void end(ByteBuf message, int server) {
        if (done) {
            message.release();
            return;
        }
        done = true;
        cancel(attemptTimer);
        cancel(totalTimer);
        attempts.forEach(Attempt::close);
        ByteBuf unused = secondBest;
        if (unused != null) {
            unused.release();
            secondBest = null;
        }
        query.release();
        forwarder.ended(this, server);
        to.answer(message);
    }

    private static void cancel(@Nullable ScheduledFuture<?> timer) {
        if (timer != null) {
            timer.cancel(false);
        }
    }

    /** True if it answers this question: RFC 5452 §9. A resolver that understands nothing may leave the question out. */
    private boolean matches(ByteBuf b, int id) {
        int len = b.readableBytes();
        if (!DnsMessage.isValid(b, 0, len) || DnsMessage.id(b, 0) != id || !DnsMessage.isResponse(b, 0)) {
            return false;
        }
        if (DnsMessage.questions(b, 0) == 0) {
            return DnsMessage.rcode(b, 0) != DnsMessage.RCODE_OK;
        }
        return len >= questionEnd && DnsMessage.questions(b, 0) == 1 && sameQuestion(b);
    }

    /** Byte for byte, but for the case of letters. */
    private boolean sameQuestion(ByteBuf b) {
        for (int i = DnsMessage.HEADER_BYTES; i < questionEnd; i++) {
            int x = query.getByte(i);
            int y = b.getByte(i);
            if (x != y && !((x ^ y) == 0x20 && Character.isLetter(x & 0x7F) && (x & 0x80) == 0)) {
                return false;
            }
        }
        return true;
    }

    /** One resolver asked once. Reports back by {@link #onAnswer} or {@link #onFailed}, at most once. */
    private abstract class Attempt extends ChannelInboundHandlerAdapter {
        final int server;
        final int id = forwarder.newId();
        private @Nullable Channel channel;
        private boolean over;
        private boolean counted;

        Attempt(int server) {
            this.server = server;
        }

        abstract Bootstrap bootstrap(InetSocketAddress address);

        abstract void onConnected(Channel connected);

        final void start() {
            InetSocketAddress address = servers.get(server);
            counted = true;
            forwarder.onSocket(1);
            ChannelFuture connecting = bootstrap(address)
                    .group(forwarder.loop())
                    .handler(this)
                    .option(ChannelOption.CONNECT_TIMEOUT_MILLIS, (int) TOTAL_MILLIS)
                    .connect(address);
            channel = connecting.channel();
            if (connecting.isDone()) {
                connected(connecting);
            } else {
                connecting.addListener((ChannelFuture f) -> connected(f));
            }
        }

        private void connected(ChannelFuture f) {
            if (over) {
                f.channel().close();
            } else if (f.isSuccess()) {
                onConnected(f.channel());
            } else {
                fail();
            }
        }

        /** Takes ownership of a message that came from the resolver. */
        final void received(ByteBuf message) {
            if (over || !matches(message, id)) {
                forwarder.counters().increment(GatewayCounter.DNS_SPOOFED);
                message.release();
                return;
            }
            onAnswer(message, server);
            fail(); // without effect if the answer was good
        }

        final void fail() {
            if (!over) {
                close();
                onFailed();
            }
        }

        final void close() {
            over = true;
            if (counted) {
                counted = false;
                forwarder.onSocket(-1);
            }
            Channel c = channel;
            if (c != null) {
                c.close();
            }
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
            fail();
        }

        @Override
        public void channelInactive(ChannelHandlerContext ctx) {
            fail();
        }
    }

    private final class UdpAttempt extends Attempt {
        UdpAttempt(int server) {
            super(server);
        }

        @Override
        Bootstrap bootstrap(InetSocketAddress address) {
            SocketProtocolFamily family = address.getAddress() instanceof Inet4Address
                    ? SocketProtocolFamily.INET
                    : SocketProtocolFamily.INET6;
            return new Bootstrap()
                    .channelFactory(() -> new EpollDatagramChannel(family))
                    .option(ChannelOption.RECVBUF_ALLOCATOR, new FixedRecvByteBufAllocator(65_536));
        }

        @Override
        void onConnected(Channel connected) {
            connected.writeAndFlush(question(id), connected.voidPromise());
        }

        @Override
        public void channelRead(ChannelHandlerContext ctx, Object msg) {
            if (msg instanceof DatagramPacket p) {
                ByteBuf content = p.content();
                ByteBuf message = DnsForwarder.allocator().directBuffer(content.readableBytes());
                message.writeBytes(content);
                p.release();
                received(message);
            } else {
                ReferenceCountUtil.release(msg);
            }
        }
    }

    private final class TcpAttempt extends Attempt {
        private @Nullable ByteBuf in; // from the first byte to the end of the channel, if there ever is one

        TcpAttempt(int server) {
            super(server);
        }

        @Override
        Bootstrap bootstrap(InetSocketAddress address) {
            return new Bootstrap().channel(EpollSocketChannel.class);
        }

        @Override
        void onConnected(Channel connected) {
            ByteBuf length = DnsForwarder.allocator().directBuffer(2).writeShort(query.readableBytes());
            connected.write(length, connected.voidPromise());
            connected.writeAndFlush(question(id), connected.voidPromise());
        }

        @Override
        public void channelRead(ChannelHandlerContext ctx, Object msg) {
            ByteBuf b = (ByteBuf) msg;
            ByteBuf all = in;
            if (all == null) {
                all = DnsForwarder.allocator().directBuffer(512, 2 + 65_535);
                in = all;
            }
            all.writeBytes(b, Math.min(b.readableBytes(), all.maxWritableBytes()));
            b.release();
            if (all.readableBytes() >= 2 && all.readableBytes() >= 2 + all.getUnsignedShort(0)) {
                received(all.copy(2, all.getUnsignedShort(0)));
            }
        }

        @Override
        public void handlerRemoved(ChannelHandlerContext ctx) {
            ByteBuf all = in;
            in = null;
            if (all != null) {
                all.release();
            }
        }
    }
}
