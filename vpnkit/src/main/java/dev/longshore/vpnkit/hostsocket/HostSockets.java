package dev.longshore.vpnkit.hostsocket;

import io.netty.channel.AdaptiveRecvByteBufAllocator;
import io.netty.channel.EventLoop;
import io.netty.channel.IoEventLoop;
import io.netty.channel.WriteBufferWaterMark;
import io.netty.channel.epoll.Epoll;
import io.netty.channel.epoll.EpollIoHandle;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.channel.socket.SocketChannel;
import io.netty.channel.socket.SocketProtocolFamily;
import io.netty.channel.socket.nio.NioSocketChannel;

/** Makes host sockets of the kind a loop takes, with the options every flow wants. Immutable. */
final class HostSockets {
    /** Half of what a flow buffers for the host at most, so that its window reopens before the socket runs dry. */
    private static final WriteBufferWaterMark WATER_MARKS = new WriteBufferWaterMark(128 << 10, 512 << 10);

    private final ConnectErrors errors = new ConnectErrors(Epoll.isAvailable());

    /** For a remote of that family. Not registered yet; auto-read is off, half-closure allowed, TCP_NODELAY on as Netty has it. */
    SocketChannel open(EventLoop loop, boolean v4) {
        SocketChannel channel = loop instanceof IoEventLoop io && io.isCompatible(EpollIoHandle.class)
                ? new EpollSocketChannel(v4 ? SocketProtocolFamily.INET : SocketProtocolFamily.INET6)
                : new NioSocketChannel();
        channel.config()
                .setAutoRead(false)
                .setAllowHalfClosure(true)
                .setKeepAlive(true) // a remote that vanished must not hold a flow for ever
                .setWriteBufferWaterMark(WATER_MARKS)
                .setRecvByteBufAllocator(new AdaptiveRecvByteBufAllocator(2048, 16 << 10, 256 << 10));
        return channel;
    }

    DialResult failure(Throwable cause) {
        return errors.classify(cause);
    }
}
