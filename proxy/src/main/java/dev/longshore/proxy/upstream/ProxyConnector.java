package dev.longshore.proxy.upstream;

import dev.longshore.proxy.auth.ChannelBinding;
import dev.longshore.proxy.route.ProxyAddress;
import dev.longshore.proxy.route.ProxyAddress.Protocol;
import dev.longshore.vpnkit.hostsocket.DialResult;
import dev.longshore.vpnkit.hostsocket.DirectDialer;
import dev.longshore.vpnkit.hostsocket.OutputEnd;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.EventLoop;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import io.netty.channel.socket.DuplexChannel;
import io.netty.handler.ssl.SslCloseCompletionEvent;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslHandler;
import io.netty.util.concurrent.Future;
import io.netty.util.concurrent.Promise;
import java.io.IOException;
import java.security.cert.CertificateException;
import java.security.cert.X509Certificate;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLPeerUnverifiedException;
import org.jspecify.annotations.Nullable;

/** Connects to proxies: TCP as a program of the host's does, and TLS where the proxy speaks it. Thread-safe. */
public final class ProxyConnector {
    /** Opens the socket. Thread-safe. */
    public interface Sockets {
        /** As {@link DirectDialer#dialAsHost}. */
        Future<DialResult> dial(String host, int port, EventLoop loop);
    }

    private static final long TLS_TIMEOUT_MILLIS = 15_000;

    private final Sockets sockets;
    private final ProxyTrust trust;
    private final Executor blocking;
    private volatile @Nullable SslContext context; // of trust, once it is made

    /** @param blocking for reading the authorities' certificates, once */
    public ProxyConnector(Sockets sockets, ProxyTrust trust, Executor blocking) {
        this.sockets = sockets;
        this.trust = trust;
        this.blocking = blocking;
    }

    /** As a dial; what is connected speaks with the proxy in plain bytes, TLS being below. */
    Future<DialResult> connect(ProxyAddress proxy, EventLoop loop) {
        Future<DialResult> socket = sockets.dial(proxy.host(), proxy.port(), loop);
        if (proxy.protocol() != Protocol.HTTPS) {
            return socket;
        }
        Promise<DialResult> result = loop.newPromise();
        socket.addListener(_ -> {
            DialResult connected =
                    socket.isSuccess() ? socket.getNow() : new DialResult.Failed("the dial was given up");
            if (connected instanceof DialResult.Connected c) {
                result.addListener(_ -> {
                    if (!result.isSuccess() || !(result.getNow() instanceof DialResult.Connected)) {
                        c.channel().close();
                    }
                });
                withContext(loop, result, made -> secure(c.channel(), made, proxy, result));
            } else {
                result.trySuccess(connected);
            }
        });
        result.addListener(_ -> {
            if (result.isCancelled()) {
                socket.cancel(false);
            }
        });
        return result;
    }

    private void withContext(EventLoop loop, Promise<DialResult> result, java.util.function.Consumer<SslContext> then) {
        SslContext ready = context;
        if (ready != null) {
            then.accept(ready);
            return;
        }
        try {
            blocking.execute(() -> {
                try {
                    SslContext made = trust.context();
                    context = made;
                    loop.execute(() -> then.accept(made));
                } catch (IOException e) {
                    result.trySuccess(new DialResult.Failed(String.valueOf(e.getMessage())));
                }
            });
        } catch (RejectedExecutionException e) {
            result.trySuccess(new DialResult.Failed("too busy"));
        }
    }

    private static void secure(
            DuplexChannel channel, SslContext context, ProxyAddress proxy, Promise<DialResult> result) {
        if (result.isDone()) {
            return;
        }
        SslHandler tls = context.newHandler(channel.alloc(), proxy.host(), proxy.port());
        tls.setHandshakeTimeoutMillis(TLS_TIMEOUT_MILLIS);
        channel.pipeline().addFirst(tls, new CloseNotify());
        OutputEnd.set(channel, tls::closeOutbound);
        tls.handshakeFuture().addListener(done -> {
            result.trySuccess(
                    done.isSuccess()
                            ? new DialResult.Connected(channel)
                            : new DialResult.Failed("no TLS: " + reason(done.cause())));
        });
    }

    private static String reason(@Nullable Throwable cause) {
        for (Throwable t = cause; t != null; t = t.getCause()) {
            if (t instanceof CertificateException) {
                return "its certificate is not trusted: " + t.getMessage();
            }
        }
        return cause instanceof SSLException ? String.valueOf(cause.getMessage()) : String.valueOf(cause);
    }

    /** What binds authentication to the connection. */
    static ChannelBinding binding(Channel channel) {
        SslHandler tls = channel.pipeline().get(SslHandler.class);
        try {
            return tls != null && tls.engine().getSession().getPeerCertificates()[0] instanceof X509Certificate c
                    ? ChannelBinding.of(c)
                    : ChannelBinding.NONE;
        } catch (SSLPeerUnverifiedException e) {
            return ChannelBinding.NONE;
        }
    }

    /** The end of the stream within TLS is one for those above. Confined to the channel's event loop. */
    private static final class CloseNotify extends ChannelInboundHandlerAdapter {
        private boolean ended;

        @Override
        public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
            if (event instanceof SslCloseCompletionEvent done) {
                if (done.isSuccess()) {
                    end(ctx);
                }
            } else if (event instanceof ChannelInputShutdownEvent) {
                end(ctx);
            } else {
                ctx.fireUserEventTriggered(event);
            }
        }

        private void end(ChannelHandlerContext ctx) {
            if (!ended) {
                ended = true;
                ctx.fireUserEventTriggered(ChannelInputShutdownEvent.INSTANCE);
            }
        }
    }
}
