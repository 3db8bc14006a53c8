package dev.longshore.vpnkit.hostsocket;

import io.netty.channel.IoHandle;
import io.netty.channel.IoHandler;
import io.netty.channel.IoHandlerContext;
import io.netty.channel.IoHandlerFactory;
import io.netty.channel.IoOps;
import io.netty.channel.IoRegistration;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollIoOps;

/**
 * Netty's epoll for event loops whose sockets are half-closed and written to afterwards.
 *
 * <p>From 4.2.13 to at least 4.2.18, a registration whose interest becomes empty is removed from the epoll set and never
 * added again: the next change fails with ENOENT, and Netty answers by shutting the output down. That is every socket
 * that has got its EOF, does not read any more, and then meets a full send buffer: the rest of what it had to send would
 * be lost behind a proper FIN. So an empty interest is replaced by EPOLLET alone, which keeps the socket in the set. It is
 * edge-triggered because the kernel reports EPOLLERR and EPOLLHUP whatever the interest: a socket that is shut down both
 * ways and waits to be closed would otherwise wake the loop for ever.
 *
 * <p>Each handler belongs to its event loop, as in Netty.
 */
public final class HalfCloseEpoll {
    private HalfCloseEpoll() {}

    /** For a {@code MultiThreadIoEventLoopGroup}. */
    public static IoHandlerFactory newFactory() {
        IoHandlerFactory epoll = EpollIoHandler.newFactory();
        return executor -> new Handler(epoll.newHandler(executor));
    }

    private record Handler(IoHandler epoll) implements IoHandler {
        @Override
        public void initialize() {
            epoll.initialize();
        }

        @Override
        public int run(IoHandlerContext context) {
            return epoll.run(context);
        }

        @Override
        public void prepareToDestroy() {
            epoll.prepareToDestroy();
        }

        @Override
        public void destroy() {
            epoll.destroy();
        }

        @Override
        public IoRegistration register(IoHandle handle) throws Exception {
            return new Registration(epoll.register(handle));
        }

        @Override
        public void wakeup() {
            epoll.wakeup();
        }

        @Override
        public boolean isCompatible(Class<? extends IoHandle> handleType) {
            return epoll.isCompatible(handleType);
        }
    }

    private record Registration(IoRegistration epoll) implements IoRegistration {
        @Override
        @SuppressWarnings("TypeParameterUnusedInFormals") // Netty's signature
        public <T> T attachment() {
            return epoll.attachment();
        }

        @Override
        public long submit(IoOps ops) {
            return epoll.submit(ops.equals(EpollIoOps.NONE) ? EpollIoOps.EPOLLET : ops);
        }

        @Override
        public boolean isValid() {
            return epoll.isValid();
        }

        @Override
        public boolean cancel() {
            return epoll.cancel();
        }
    }
}
