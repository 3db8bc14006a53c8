package dev.longshore.vpnkit.hostsocket;

import dev.longshore.testkit.VirtualLoop;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoop;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import org.jspecify.annotations.Nullable;

/** A host socket on a loop in the test's hands, connected over loopback to a remote in the test's hands. */
final class SocketPair implements AutoCloseable {
    final VirtualLoop loop;
    final HostSocket host;
    final SocketChannel remote;
    final ByteArrayOutputStream atHost = new ByteArrayOutputStream();
    final ByteArrayOutputStream atRemote = new ByteArrayOutputStream();
    int reads;
    int readsComplete;
    int eofs;
    int inactives;
    boolean remoteSawEof;

    @Nullable
    Throwable hostFailure;

    @Nullable
    IOException remoteFailure;

    SocketPair(VirtualLoop loop, HostSockets sockets) throws IOException {
        this(loop, sockets, "127.0.0.1");
    }

    SocketPair(VirtualLoop loop, HostSockets sockets, String loopback) throws IOException {
        this.loop = loop;
        host = sockets.open(loop, loopback.indexOf(':') < 0);
        register(loop, host);
        host.pipeline().addLast(new Recorder());
        try (ServerSocketChannel server = ServerSocketChannel.open()) {
            server.setOption(StandardSocketOptions.SO_RCVBUF, 32 << 10);
            server.bind(new InetSocketAddress(InetAddress.getByName(loopback), 0));
            ChannelFuture connected = host.connect(server.getLocalAddress());
            if (!connected.isSuccess()) {
                throw new IOException("not connected at once", connected.cause());
            }
            remote = server.accept();
            remote.configureBlocking(false);
        }
    }

    static void register(EventLoop loop, HostSocket socket) {
        loop.register(socket);
    }

    private final class Recorder extends ChannelInboundHandlerAdapter {
        @Override
        public void channelRead(ChannelHandlerContext ctx, Object msg) {
            ByteBuf data = (ByteBuf) msg;
            byte[] bytes = new byte[data.readableBytes()];
            data.readBytes(bytes).release();
            atHost.writeBytes(bytes);
            reads++;
        }

        @Override
        public void channelReadComplete(ChannelHandlerContext ctx) {
            readsComplete++;
        }

        @Override
        public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
            if (event instanceof ChannelInputShutdownEvent) {
                eofs++;
            }
        }

        @Override
        public void channelInactive(ChannelHandlerContext ctx) {
            inactives++;
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
            hostFailure = cause;
        }
    }

    // ---- the remote

    void remoteSends(byte... bytes) throws IOException {
        ByteBuffer all = ByteBuffer.wrap(bytes);
        while (all.hasRemaining()) {
            remote.write(all);
        }
    }

    /** As much as its kernel takes now; how much that was. */
    int remoteSendsSome(byte[] bytes) {
        try {
            return remote.write(ByteBuffer.wrap(bytes));
        } catch (IOException e) {
            remoteFailure = e;
            return 0;
        }
    }

    /** What has arrived, at most {@code most}. */
    void remoteReads(int most) {
        if (remoteSawEof || remoteFailure != null || !remote.isOpen()) {
            return;
        }
        ByteBuffer into = ByteBuffer.allocate(most);
        try {
            int n = remote.read(into);
            if (n < 0) {
                remoteSawEof = true;
            } else {
                atRemote.write(into.array(), 0, n);
            }
        } catch (IOException e) {
            remoteFailure = e;
        }
    }

    void remoteFinishes() throws IOException {
        remote.shutdownOutput();
    }

    void remoteResets() throws IOException {
        remote.setOption(StandardSocketOptions.SO_LINGER, 0);
        remote.close();
    }

    // ---- the host

    ChannelFuture hostSends(byte... bytes) {
        return host.writeAndFlush(Unpooled.wrappedBuffer(bytes));
    }

    void hostResets() {
        host.config().setOption(ChannelOption.SO_LINGER, 0);
        host.close();
    }

    void wantsToRead(boolean wanted) {
        host.config().setAutoRead(wanted);
    }

    /** Runs the loop while the remote reads. */
    void runUntilRemoteHas(int bytes) {
        loop.runUntil(
                () -> {
                    remoteReads(64 << 10);
                    return atRemote.size() >= bytes;
                },
                bytes + " bytes at the remote");
    }

    void runUntilRemoteSawEnd() {
        loop.runUntil(
                () -> {
                    remoteReads(64 << 10);
                    return remoteSawEof || remoteFailure != null;
                },
                "the end at the remote");
    }

    void runUntilHostHas(int bytes) {
        loop.runUntil(() -> atHost.size() >= bytes, bytes + " bytes at the host");
    }

    @Override
    public void close() throws IOException {
        host.close();
        remote.close();
        loop.runDue();
    }
}
