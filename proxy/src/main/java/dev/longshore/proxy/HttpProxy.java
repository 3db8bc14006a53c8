package dev.longshore.proxy;

import dev.longshore.proxy.audit.Auditor;
import dev.longshore.proxy.upstream.Upstreams;
import dev.longshore.vpnkit.hostsocket.Dialer;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.socket.DuplexChannel;

/**
 * The proxy as an initializer for channels that come from a guest. Every such channel must be a {@link DuplexChannel}
 * that reports a half-closed input as an event; the connections it causes live on its own event loop.
 * Thread-safe: holds nothing that changes but two atomic sums.
 */
@ChannelHandler.Sharable
public final class HttpProxy extends ChannelInitializer<Channel> {
    private final ProxySettings settings;
    private final Upstreams upstreams;
    private final IdleBudget budget;
    private final WaitingBytes waiting;
    private final Auditor auditor;

    /** @param maxIdleOrigins connections to origins that are kept for later requests, of all guest connections together */
    public HttpProxy(ProxySettings settings, Upstreams upstreams, int maxIdleOrigins, Auditor auditor) {
        this(
                settings,
                upstreams,
                maxIdleOrigins,
                new WaitingBytes(Runtime.getRuntime().maxMemory() / 8),
                auditor);
    }

    /** The same without records. */
    public HttpProxy(ProxySettings settings, Upstreams upstreams, int maxIdleOrigins) {
        this(settings, upstreams, maxIdleOrigins, Auditor.NONE);
    }

    HttpProxy(ProxySettings settings, Upstreams upstreams, int maxIdleOrigins, WaitingBytes waiting) {
        this(settings, upstreams, maxIdleOrigins, waiting, Auditor.NONE);
    }

    /** Without upstream proxies: all goes by {@code dialer}. */
    public HttpProxy(ProxySettings settings, Dialer dialer, int maxIdleOrigins) {
        this(settings, Upstreams.direct(settings.pseudonym(), dialer), maxIdleOrigins, Auditor.NONE);
    }

    HttpProxy(ProxySettings settings, Dialer dialer, int maxIdleOrigins, WaitingBytes waiting) {
        this(settings, Upstreams.direct(settings.pseudonym(), dialer), maxIdleOrigins, waiting);
    }

    HttpProxy(ProxySettings settings, Upstreams upstreams, int maxIdleOrigins, WaitingBytes waiting, Auditor auditor) {
        this.auditor = auditor;
        this.waiting = waiting;
        this.budget = new IdleBudget(maxIdleOrigins);
        this.settings = settings;
        this.upstreams = upstreams;
    }

    @Override
    protected void initChannel(Channel channel) {
        channel.pipeline()
                .addLast(new GuestConnection(
                        settings, new RequestGate(settings), upstreams, budget, waiting, auditor, (DuplexChannel)
                                channel));
    }

    /** For the end of {@code channel}'s pipeline: serves a connection that was meant for an origin, as that origin's proxy. */
    public ChannelHandler intercepting(Intercepted to, DuplexChannel channel) {
        Gate gate = new InterceptGate(settings.pseudonym(), to);
        return new GuestConnection(settings, gate, upstreams, budget, waiting, auditor, channel);
    }

    /** What connections keep for later, this proxy's and those of others that take part in its budget. */
    public WaitingBytes waiting() {
        return waiting;
    }
}
