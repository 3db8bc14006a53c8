package dev.longshore.vpnkit.hostsocket;

import dev.longshore.linux.StreamSockets;
import dev.longshore.packet.wire.IpAddress;
import io.netty.channel.ChannelId;
import io.netty.channel.EventLoop;
import io.netty.channel.unix.IovArray;
import java.io.Serial;
import java.net.InetSocketAddress;
import org.jspecify.annotations.Nullable;

/** What all host sockets of one event loop share. Confined to that loop, but for {@link #localAddress}. */
final class LoopSockets {
    /** Buffers in one write: more than a batch of the guest's frames. */
    private static final int PIECES = 256;

    final StreamSockets calls = new StreamSockets();
    final IovArray pieces = new IovArray(PIECES);
    final KeepAlives keepAlives;
    private final EventLoop loop;
    private long lastId;

    LoopSockets(EventLoop loop) {
        this.loop = loop;
        this.keepAlives = new KeepAlives(loop);
    }

    boolean isOf(EventLoop other) {
        return loop.equals(other);
    }

    /** The loop has ended, and with it all sockets. */
    void release() {
        pieces.release();
    }

    /** What an open socket is bound to; null if it can't be said. From any thread. */
    @Nullable
    InetSocketAddress localAddress(int fd) {
        StreamSockets asked = loop.inEventLoop() ? calls : new StreamSockets();
        return asked.lookUpLocal(fd) < 0
                ? null
                : new InetSocketAddress(
                        new IpAddress(asked.localHi(), asked.localLo()).toInetAddress(), asked.localPort());
    }

    /** Netty's own tells channels of all processes apart, at a price. */
    ChannelId newId() {
        return new Id(++lastId);
    }

    private record Id(long number) implements ChannelId {
        @Serial
        private static final long serialVersionUID = 1;

        @Override
        public String asShortText() {
            return Long.toString(number);
        }

        @Override
        public String asLongText() {
            return "host-socket-" + number;
        }

        @Override
        public int compareTo(ChannelId other) {
            return other instanceof Id id
                    ? Long.compare(number, id.number)
                    : asLongText().compareTo(other.asLongText());
        }
    }
}
