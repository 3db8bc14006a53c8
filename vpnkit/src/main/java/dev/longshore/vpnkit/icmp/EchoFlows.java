package dev.longshore.vpnkit.icmp;

import dev.longshore.packet.link.OutFrame;
import dev.longshore.packet.wire.IcmpHeader;
import dev.longshore.packet.wire.IpAddress;
import dev.longshore.packet.wire.IpProtocol;
import dev.longshore.vpnkit.count.Counters;
import dev.longshore.vpnkit.flow.FlowSnapshot;
import dev.longshore.vpnkit.ip.IcmpErrors;
import dev.longshore.vpnkit.ip.IpOutput;
import io.netty.bootstrap.Bootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoop;
import io.netty.channel.FixedRecvByteBufAllocator;
import io.netty.channel.epoll.EpollDatagramChannel;
import io.netty.channel.socket.DatagramPacket;
import io.netty.util.ReferenceCountUtil;
import io.netty.util.concurrent.ScheduledFuture;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Pings beyond our own addresses: one ping socket of the host for each (guest, remote, identifier), connected, so that the
 * kernel filters the answers and reports errors. Nothing is answered that no remote answered. The kernel chooses the
 * identifier on the wire and verifies checksums; the guest gets its own identifier back. Confined to the link's event loop.
 */
public final class EchoFlows {
    private static final Logger LOG = LoggerFactory.getLogger(EchoFlows.class);
    private static final int MAX_FLOWS = 128;
    private static final long IDLE_NANOS = TimeUnit.SECONDS.toNanos(30);

    /** Where the kernel's ping socket ignores the port. */
    private static final int NO_PORT = 0;

    private final PingSockets sockets;
    private final IpOutput output;
    private final IcmpErrors errors;
    private final EventLoop loop;
    private final LongSupplier nanoClock;
    private final Counters<IcmpCounter> counters;

    /** In the order of their last use. */
    private final Map<Key, Flow> flows = new LinkedHashMap<>(16, 0.75f, true);

    private final List<Flow> unflushed = new ArrayList<>();
    private @Nullable ScheduledFuture<?> sweep;

    private record Key(int guest, int remote, int identifier) {}

    public EchoFlows(
            PingSockets sockets,
            IpOutput output,
            IcmpErrors errors,
            EventLoop loop,
            LongSupplier nanoClock,
            Counters<IcmpCounter> counters) {
        this.sockets = sockets;
        this.output = output;
        this.errors = errors;
        this.loop = loop;
        this.nanoClock = nanoClock;
        this.counters = counters;
    }

    /** A checked echo request of {@code len} bytes at {@code at}. Borrows. */
    void send(ByteBuf b, int at, int len, int guest, int remote) {
        Key key = new Key(guest, remote, IcmpHeader.identifier(b, at));
        Flow flow = flows.get(key);
        if (flow == null) {
            flow = open(key);
            if (flow == null) {
                counters.increment(IcmpCounter.ECHO_PROHIBITED);
                unreachable(key, IcmpHeader.CODE_ADMIN_PROHIBITED, IcmpHeader.sequence(b, at));
                return;
            }
        }
        flow.lastActive = nanoClock.getAsLong();
        flow.lastSequence = IcmpHeader.sequence(b, at);
        flow.bytesFromGuest += len - IcmpHeader.BYTES;
        if (!flow.channel.isWritable()) {
            counters.increment(IcmpCounter.DROPPED_HOST_BUSY);
            return;
        }
        counters.increment(IcmpCounter.ECHO_FORWARDED);
        flow.channel.write(b.retainedSlice(at, len), flow.channel.voidPromise()); // kept until it is written
        if (!flow.dirty) {
            flow.dirty = true;
            unflushed.add(flow);
        }
    }

    void onBatchEnd() {
        for (int i = 0; i < unflushed.size(); i++) {
            Flow flow = unflushed.get(i);
            flow.dirty = false;
            flow.channel.flush();
        }
        unflushed.clear();
    }

    private @Nullable Flow open(Key key) {
        int fd;
        try {
            fd = sockets.open();
        } catch (IOException e) {
            LOG.debug("ping {}: {}", IpAddress.v4(key.remote), e.getMessage());
            return null;
        }
        if (flows.size() == MAX_FLOWS) {
            end(flows.values().iterator().next());
        }
        Flow flow = new Flow(key);
        ChannelFuture registered = new Bootstrap()
                .group(loop)
                .channelFactory(() -> new EpollDatagramChannel(fd))
                .option(ChannelOption.RECVBUF_ALLOCATOR, new FixedRecvByteBufAllocator(65_536))
                .handler(flow)
                .register();
        flow.channel = registered.channel();
        InetSocketAddress remote =
                new InetSocketAddress(IpAddress.v4(key.remote).toInetAddress(), NO_PORT);
        ChannelFuture connected = registered.isSuccess() ? flow.channel.connect(remote) : registered;
        if (!connected.isSuccess()) {
            LOG.debug("ping {}: {}", IpAddress.v4(key.remote), String.valueOf(connected.cause()));
            flow.channel.close();
            return null;
        }
        flows.put(key, flow);
        armSweep();
        return flow;
    }

    private void unreachable(Key key, int code, int sequence) {
        errors.unreachable(
                IpProtocol.ICMP,
                code,
                0,
                IpAddress.loOfV4(key.guest),
                IcmpHeader.ECHO_REQUEST << 8, // type and code stand where the others have their first port
                0,
                IpAddress.loOfV4(key.remote),
                0,
                key.identifier << 16 | sequence);
    }

    private void end(Flow flow) {
        flows.remove(flow.key);
        flow.channel.close();
    }

    private void armSweep() {
        if (sweep == null && !flows.isEmpty()) {
            sweep = loop.schedule(this::onSweep, 5, TimeUnit.SECONDS);
        }
    }

    private void onSweep() {
        sweep = null;
        long now = nanoClock.getAsLong();
        for (Iterator<Flow> i = flows.values().iterator(); i.hasNext(); ) {
            Flow flow = i.next();
            if (now - flow.lastActive >= IDLE_NANOS) {
                i.remove();
                flow.channel.close();
            }
        }
        armSweep();
    }

    /** The pings of now: the identifier stands in the place of the guest's port. */
    public List<FlowSnapshot> snapshot() {
        assert loop.inEventLoop();
        List<FlowSnapshot> list = new ArrayList<>(flows.size());
        long now = nanoClock.getAsLong();
        flows.values().forEach(f -> list.add(f.snapshot(now)));
        return list;
    }

    /** Idempotent. */
    public void endAll() {
        flows.values().forEach(flow -> flow.channel.close());
        flows.clear();
        unflushed.clear();
        ScheduledFuture<?> timer = sweep;
        if (timer != null) {
            timer.cancel(false);
            sweep = null;
        }
    }

    /** One ping socket. */
    private final class Flow extends ChannelInboundHandlerAdapter {
        final Key key;

        @SuppressWarnings("NullAway.Init") // set right after the channel is made with this as its handler
        Channel channel;

        long lastActive;
        int lastSequence;
        boolean dirty;
        final long openedAt = nanoClock.getAsLong();
        long bytesFromGuest;
        long bytesToGuest;

        Flow(Key key) {
            this.key = key;
        }

        FlowSnapshot snapshot(long now) {
            return FlowSnapshot.ofDatagrams(
                    IpAddress.v4(key.guest),
                    key.identifier,
                    IpAddress.v4(key.remote),
                    0,
                    false,
                    bytesToGuest == 0 ? "asking" : "answered",
                    bytesFromGuest,
                    bytesToGuest,
                    openedAt,
                    now);
        }

        @Override
        public void channelRead(ChannelHandlerContext ctx, Object msg) {
            try {
                if (msg instanceof DatagramPacket p) {
                    onReply(p.content());
                }
            } finally {
                ReferenceCountUtil.release(msg);
            }
        }

        private void onReply(ByteBuf b) {
            int at = b.readerIndex();
            int len = b.readableBytes();
            boolean reply = IcmpHeader.isValid(b, at, len) && IcmpHeader.type(b, at) == IcmpHeader.ECHO_REPLY;
            if (!reply || flows.get(key) != this) {
                counters.increment(IcmpCounter.DROPPED_TYPE);
                return;
            }
            lastActive = nanoClock.getAsLong();
            bytesToGuest += len - IcmpHeader.BYTES;
            b.setShort(at + 4, key.identifier);
            IcmpHeader.complete(b, at, len);
            OutFrame out =
                    output.begin(0, IpAddress.loOfV4(key.remote), 0, IpAddress.loOfV4(key.guest), IpProtocol.ICMP);
            out.head().writeBytes(b, at, IcmpHeader.BYTES);
            out.addPayload(b, at + IcmpHeader.BYTES, len - IcmpHeader.BYTES);
            counters.increment(output.end(out) ? IcmpCounter.ECHO_REPLIED : IcmpCounter.DROPPED_NO_ROOM);
            out.clear();
        }

        @Override
        public void channelReadComplete(ChannelHandlerContext ctx) {
            output.flush();
        }

        /** A router, or the host itself, said that the remote can't be reached. */
        @Override
        public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
            LOG.debug("ping {}: {}", IpAddress.v4(key.remote), cause.toString());
            if (flows.get(key) == this) {
                unreachable(key, IcmpHeader.CODE_HOST, lastSequence);
            }
        }
    }
}
