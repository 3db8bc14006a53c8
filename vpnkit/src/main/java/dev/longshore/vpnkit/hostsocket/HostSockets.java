package dev.longshore.vpnkit.hostsocket;

import io.netty.channel.EventLoop;
import io.netty.channel.unix.Errors.NativeIoException;
import io.netty.channel.unix.FileDescriptor;
import java.io.IOException;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** Makes host sockets. Thread-safe: everything of one socket happens on its loop. */
final class HostSockets {
    private final Map<EventLoop, LoopSockets> loops = new ConcurrentHashMap<>();

    /**
     * For a remote of that family. Not connected nor registered yet; auto-read is off. On {@code loop}, whose I/O is epoll.
     *
     * @throws IOException with the errno: no descriptor left, most of all
     */
    HostSocket open(EventLoop loop, boolean v4) throws IOException {
        LoopSockets shared = loops.computeIfAbsent(loop, this::newLoop);
        int fd = shared.calls.open(v4);
        if (fd < 0) {
            throw new NativeIoException("socket", fd, false);
        }
        return new HostSocket(new FileDescriptor(fd), shared);
    }

    private LoopSockets newLoop(EventLoop loop) {
        LoopSockets shared = new LoopSockets(loop);
        loop.terminationFuture().addListener(ended -> {
            loops.remove(loop);
            shared.release();
        });
        return shared;
    }
}
