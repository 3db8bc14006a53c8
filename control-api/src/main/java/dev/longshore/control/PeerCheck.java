package dev.longshore.control;

import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.epoll.EpollDomainSocketChannel;
import io.netty.channel.epoll.EpollServerDomainSocketChannel;
import io.netty.channel.unix.PeerCredentials;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Lets only the daemon's own user and root in, by what the kernel says of the caller (SO_PEERCRED, unix(7)). The socket's mode does
 * so already, unless somebody has changed it. Confined to the listener's event loop.
 */
final class PeerCheck extends ChannelInboundHandlerAdapter {
    private static final Logger LOG = LoggerFactory.getLogger(PeerCheck.class);
    private static final int ROOT = 0;

    private final int owner;

    private PeerCheck(int owner) {
        this.owner = owner;
    }

    /** A listener whose connections are checked before anybody sees them. */
    static EpollServerDomainSocketChannel serverChannel() {
        EpollServerDomainSocketChannel listener = new EpollServerDomainSocketChannel();
        listener.pipeline().addLast(new PeerCheck(owner()));
        return listener;
    }

    /** Our effective user: who owns our own entry in proc(5). */
    private static int owner() {
        try {
            return (Integer) Files.getAttribute(Path.of("/proc/self"), "unix:uid");
        } catch (IOException e) {
            return ROOT; // root alone, then
        }
    }

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object accepted) {
        EpollDomainSocketChannel caller = (EpollDomainSocketChannel) accepted;
        if (isAllowed(caller)) {
            ctx.fireChannelRead(caller);
        } else {
            caller.unsafe().closeForcibly();
        }
    }

    private boolean isAllowed(EpollDomainSocketChannel caller) {
        try {
            PeerCredentials peer = caller.peerCredentials();
            boolean allowed = peer.uid() == owner || peer.uid() == ROOT;
            if (!allowed) {
                LOG.warn("a process of user {} (pid {}) tried the control socket; refused", peer.uid(), peer.pid());
            }
            return allowed;
        } catch (IOException e) {
            LOG.warn("a caller of the control socket can't be told; refused", e);
            return false;
        }
    }
}
