package dev.longshore.vpnkit.dns;

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
import io.netty.util.collection.IntObjectHashMap;
import io.netty.util.concurrent.ScheduledFuture;
import java.net.Inet4Address;
import java.net.Inet6Address;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * One resolver, and the sockets to it. Confined to the link's event loop.
 *
 * <p>Theory of operation. By UDP, a question goes out by a socket of its own on a port that the kernel chose, connected, so that answers
 * come from that resolver only, and with a random id; when it is answered, the socket goes: what an attacker has to guess is new for each
 * (RFC 5452 §9.2). Only while others wait and {@link #MAX_SOCKETS} sockets are open are they shared, by chance and for {@link #MAX_USES} questions each; so
 * a silent resolver does not cost all descriptors.
 *
 * <p>By TCP, connections are kept for some seconds and questions follow each other on them without waiting (RFC 7766 §6.2.1), answers come in any
 * order. If a connection that has served before is closed while questions wait, these are asked once more on another: the resolver may
 * just have been tired of it. One that is silent while a question runs out of time is given up.
 */
final class DnsUpstream {
    private static final int MAX_SOCKETS = 12;
    private static final int MAX_USES = 64;
    private static final int MAX_LINES = 4;
    private static final int LINE_DEPTH = 32;
    private static final long IDLE_SECONDS = 10;
    private static final int CONNECT_MILLIS = 4000;

    /** We say that we take 1232 bytes; who sends more than this is cut, and asked by TCP then. */
    private static final int MAX_DATAGRAM = 4096;

    final InetSocketAddress address;
    final String text;
    private final DnsForwarder forwarder;
    private final List<UdpLine> sockets = new ArrayList<>();
    private final List<TcpLine> lines = new ArrayList<>();
    private boolean closed;

    /** Questions that wait for an answer by UDP. */
    private int inFlight;

    /** It has been asked whether it asks us. */
    boolean probed;

    /** It asks us: by the network's clock, until when it is not asked. */
    long loopsUntil;

    boolean loops;

    DnsUpstream(DnsForwarder forwarder, InetSocketAddress address) {
        this.forwarder = forwarder;
        this.address = address;
        String host = address.getAddress().getHostAddress();
        boolean v4 = address.getAddress() instanceof Inet4Address;
        this.text = (v4 ? host : "[" + host + "]") + ":" + address.getPort();
    }

    /**
     * One resolver, as a key: with the interface's number for an address that means another host on each link, which
     * {@link InetSocketAddress} does not look at.
     */
    record Place(InetSocketAddress address, int scope) {
        static Place of(InetSocketAddress a) {
            return new Place(a, a.getAddress() instanceof Inet6Address six ? six.getScopeId() : 0);
        }

        static List<Place> of(List<InetSocketAddress> all) {
            return all.stream().map(Place::of).distinct().toList();
        }
    }

    /** Who asks, once. Its methods are called on the loop; at most one of the two ends it. */
    abstract static class Asker {
        private @Nullable Line line;
        private int id;
        private boolean retried;
        private long askedAt;

        /** The question with this id; the caller owns it. */
        abstract ByteBuf question(int questionId);

        /** A message with the id, owned from now on. False if it is no answer, and the right one is still waited for. */
        abstract boolean onMessage(ByteBuf message);

        /** There will be no answer. */
        abstract void onFailed();

        /** Nobody waits any more. Idempotent. */
        final void drop() {
            Line l = line;
            line = null;
            if (l != null) {
                l.dropped(id, askedAt);
            }
        }
    }

    boolean mayBeAsked(long now) {
        if (loops && now - loopsUntil >= 0) {
            loops = false;
            probed = false;
        }
        return !loops;
    }

    void askByUdp(Asker asker) {
        if (closed) {
            asker.onFailed(); // by a question from before the resolvers changed: no socket for it, which nobody
            // would close
        } else {
            udpLine().ask(asker);
        }
    }

    private UdpLine udpLine() {
        for (int i = sockets.size() - 1; i >= 0; i--) {
            if (sockets.get(i).uses >= MAX_USES) {
                sockets.remove(i); // it closes when its last question is answered
            }
        }
        if (sockets.size() >= MAX_SOCKETS || !forwarder.hasSocketToSpare()) {
            if (!sockets.isEmpty()) {
                return sockets.get(forwarder.newId() % sockets.size());
            }
        }
        UdpLine line = new UdpLine();
        sockets.add(line);
        line.open();
        return line;
    }

    /** Nobody waits: the next question has a port that no other one had. */
    private void closeIdle() {
        for (int i = sockets.size() - 1; i >= 0; i--) {
            sockets.get(i).close();
        }
    }

    void askByTcp(Asker asker) {
        if (closed) {
            asker.onFailed();
            return;
        }
        TcpLine best = null;
        for (TcpLine l : lines) {
            if (best == null || l.waiting.size() < best.waiting.size()) {
                best = l;
            }
        }
        if (best == null || (best.waiting.size() >= LINE_DEPTH && lines.size() < MAX_LINES)) {
            best = new TcpLine();
            lines.add(best);
            best.open();
        }
        best.ask(asker);
    }

    /** All who wait have failed; nobody may ask any more. */
    void close() {
        closed = true;
        failAll();
    }

    /** All who wait have failed. */
    void failAll() {
        List.copyOf(sockets).forEach(Line::giveUp);
        List.copyOf(lines).forEach(Line::giveUp);
    }

    /** A socket with those who wait for answers on it, by id. */
    private abstract class Line extends ChannelInboundHandlerAdapter {
        final IntObjectHashMap<Asker> waiting = new IntObjectHashMap<>(4);

        @Nullable
        Channel channel;

        boolean over;

        final int newId() {
            int id = forwarder.newId();
            while (waiting.containsKey(id)) {
                id = forwarder.newId();
            }
            return id;
        }

        final void add(Asker asker) {
            asker.id = newId();
            asker.line = this;
            asker.askedAt = forwarder.now();
            waiting.put(asker.id, asker);
        }

        abstract void dropped(int id, long askedAt);

        /** Takes ownership of a message. */
        final void received(ByteBuf message) {
            Asker asker =
                    message.readableBytes() < 2 ? null : waiting.get(message.getUnsignedShort(message.readerIndex()));
            if (asker == null) {
                onStranger();
                message.release();
                return;
            }
            if (asker.onMessage(message)) {
                asker.line = null;
                if (waiting.remove(asker.id) != null) { // it has not been dropped by what it led to
                    onAnswered();
                }
            } else {
                forwarder.counters().increment(DnsCounter.SPOOFED);
            }
        }

        abstract void onStranger();

        abstract void onAnswered();

        /** So many wait no longer. */
        void onGivenUp(int count) {}

        final void giveUp() {
            close();
            Asker[] left = waiting.values().toArray(new Asker[0]);
            waiting.clear();
            onGivenUp(left.length);
            for (Asker a : left) {
                a.line = null;
                a.onFailed();
            }
        }

        void close() {
            if (!over) {
                over = true;
                forwarder.onSocket(-1);
                Channel c = channel;
                if (c != null) {
                    c.close();
                }
            }
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
            onEnd();
        }

        @Override
        public void channelInactive(ChannelHandlerContext ctx) {
            onEnd();
        }

        void onEnd() {
            giveUp();
        }
    }

    private final class UdpLine extends Line {
        int uses;

        void open() {
            forwarder.onSocket(1);
            SocketProtocolFamily family = address.getAddress() instanceof Inet4Address
                    ? SocketProtocolFamily.INET
                    : SocketProtocolFamily.INET6;
            try {
                EpollDatagramChannel c = new EpollDatagramChannel(family);
                c.config().setRecvByteBufAllocator(new FixedRecvByteBufAllocator(MAX_DATAGRAM));
                c.pipeline().addLast(this);
                channel = c;
                ChannelFuture registered = forwarder.loop().register(c);
                ChannelFuture connected = c.connect(address); // on the loop: both are done now
                if (registered.cause() != null || connected.cause() != null) {
                    close();
                }
            } catch (RuntimeException e) { // no descriptor is left
                close();
            }
        }

        void ask(Asker asker) {
            uses++;
            Channel c = channel;
            if (over || c == null) {
                sockets.remove(this);
                asker.onFailed();
                return;
            }
            add(asker);
            inFlight++;
            c.writeAndFlush(asker.question(asker.id), c.voidPromise());
        }

        @Override
        void dropped(int id, long askedAt) {
            if (waiting.remove(id) != null) {
                onAnswered();
            }
        }

        @Override
        void onGivenUp(int count) {
            inFlight -= count;
        }

        @Override
        void onStranger() {
            forwarder.counters().increment(DnsCounter.SPOOFED);
        }

        @Override
        void onAnswered() {
            inFlight--;
            assert inFlight >= 0;
            if (waiting.isEmpty() && (inFlight == 0 || uses >= MAX_USES)) {
                close();
            }
            if (inFlight == 0) {
                closeIdle();
            }
        }

        @Override
        void close() {
            sockets.remove(this);
            super.close();
        }

        @Override
        public void channelRead(ChannelHandlerContext ctx, Object msg) {
            if (msg instanceof DatagramPacket p) {
                received(p.content());
            } else {
                ReferenceCountUtil.release(msg);
            }
        }
    }

    private final class TcpLine extends Line {
        private final List<Asker> early = new ArrayList<>();
        private @Nullable ByteBuf in;
        private @Nullable ScheduledFuture<?> idle;
        private boolean connected;
        private boolean served;
        private long heardAt;

        void open() {
            forwarder.onSocket(1);
            heardAt = forwarder.now();
            try {
                EpollSocketChannel c = new EpollSocketChannel();
                c.config().setConnectTimeoutMillis(CONNECT_MILLIS);
                c.config().setOption(ChannelOption.TCP_NODELAY, true);
                c.pipeline().addLast(this);
                channel = c;
                forwarder.loop().register(c);
                c.connect(address).addListener((ChannelFuture f) -> onConnected(f.isSuccess()));
            } catch (RuntimeException e) {
                close();
            }
        }

        private void onConnected(boolean success) {
            if (!success) {
                onEnd();
                return;
            }
            connected = true;
            heardAt = forwarder.now();
            List<Asker> all = List.copyOf(early);
            early.clear();
            for (Asker a : all) {
                write(a);
            }
        }

        void ask(Asker asker) {
            if (over) {
                lines.remove(this);
                asker.onFailed();
                return;
            }
            disarm();
            add(asker);
            if (connected) {
                write(asker);
            } else {
                early.add(asker);
            }
        }

        private void write(Asker asker) {
            Channel c = channel;
            if (c == null) {
                return;
            }
            ByteBuf question = asker.question(asker.id);
            ByteBuf length = DnsForwarder.allocator().directBuffer(2).writeShort(question.readableBytes());
            c.write(length, c.voidPromise());
            c.writeAndFlush(question, c.voidPromise());
        }

        @Override
        void dropped(int id, long askedAt) {
            waiting.remove(id);
            early.removeIf(a -> a.id == id);
            if (heardAt - askedAt < 0 && forwarder.now() - askedAt >= TimeUnit.SECONDS.toNanos(1)) {
                onEnd(); // silent ever since
            } else {
                onAnswered();
            }
        }

        @Override
        void onStranger() {
            // the late answer to a question that another resolver has answered
        }

        @Override
        void onAnswered() {
            if (waiting.isEmpty() && !over) {
                disarm();
                idle = forwarder.loop().schedule(this::close, IDLE_SECONDS, TimeUnit.SECONDS);
            }
        }

        private void disarm() {
            ScheduledFuture<?> timer = idle;
            if (timer != null) {
                timer.cancel(false);
                idle = null;
            }
        }

        @Override
        void close() {
            lines.remove(this);
            disarm();
            super.close();
        }

        /** Those who may try again do so on another connection. */
        @Override
        void onEnd() {
            close();
            if (served && !closed) {
                for (Asker a : waiting.values().toArray(new Asker[0])) {
                    if (!a.retried) {
                        a.retried = true;
                        waiting.remove(a.id);
                        askByTcp(a);
                    }
                }
            }
            giveUp();
        }

        @Override
        public void channelRead(ChannelHandlerContext ctx, Object msg) {
            ByteBuf b = (ByteBuf) msg;
            heardAt = forwarder.now();
            ByteBuf all = in;
            if (all == null) {
                all = DnsForwarder.allocator().directBuffer(512, 4 * (2 + DnsQuestion.MAX_BYTES));
                in = all;
            }
            while (b.isReadable() && in != null) {
                all.writeBytes(b, Math.min(b.readableBytes(), all.maxWritableBytes()));
                split(all);
            }
            b.release();
        }

        private void split(ByteBuf all) {
            while (in != null && all.readableBytes() >= 2) {
                int length = all.getUnsignedShort(all.readerIndex());
                if (all.readableBytes() < 2 + length) {
                    break;
                }
                all.skipBytes(2);
                ByteBuf message = DnsForwarder.allocator().directBuffer(length).writeBytes(all, length);
                served = true;
                received(message);
            }
            if (in != null) {
                all.discardReadBytes();
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
