package dev.longshore.backend;

import dev.longshore.vpnkit.hostsocket.HalfCloseEpoll;
import io.netty.channel.IoEventLoop;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.util.concurrent.DefaultThreadFactory;
import java.util.concurrent.TimeUnit;

/**
 * The event loops of one run of the guest: the link's, with all its flows and host sockets, and the one of the vsock
 * streams, with the Docker socket's connections, and the file server's. Immutable after the start; the loops end with the part.
 */
final class Loops implements Part {
    private static final long STOP_SECONDS = 5;

    private final MultiThreadIoEventLoopGroup linkGroup = group("link");
    private final MultiThreadIoEventLoopGroup vsockGroup = group("vsock");
    private final MultiThreadIoEventLoopGroup filesGroup = group("files");
    private final IoEventLoop link = linkGroup.next();
    private final IoEventLoop vsock = vsockGroup.next();
    private final IoEventLoop files = filesGroup.next();

    private static MultiThreadIoEventLoopGroup group(String name) {
        return new MultiThreadIoEventLoopGroup(1, new DefaultThreadFactory(name, true), HalfCloseEpoll.newFactory());
    }

    IoEventLoop link() {
        return link;
    }

    IoEventLoop vsock() {
        return vsock;
    }

    /** Where requests of the guest for the host's files are handled while few of them wait. */
    IoEventLoop files() {
        return files;
    }

    @Override
    public String name() {
        return "loops";
    }

    @Override
    public String title() {
        return "";
    }

    /** Their threads start with their first task. */
    @Override
    public void start(Progress progress) {}

    @Override
    public void stop() {
        linkGroup.shutdownGracefully(0, STOP_SECONDS, TimeUnit.SECONDS);
        vsockGroup.shutdownGracefully(0, STOP_SECONDS, TimeUnit.SECONDS);
        filesGroup.shutdownGracefully(0, STOP_SECONDS, TimeUnit.SECONDS);
        linkGroup.terminationFuture().awaitUninterruptibly(STOP_SECONDS, TimeUnit.SECONDS);
        vsockGroup.terminationFuture().awaitUninterruptibly(STOP_SECONDS, TimeUnit.SECONDS);
        filesGroup.terminationFuture().awaitUninterruptibly(STOP_SECONDS, TimeUnit.SECONDS);
    }
}
