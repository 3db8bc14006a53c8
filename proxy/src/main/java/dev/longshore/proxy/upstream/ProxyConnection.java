package dev.longshore.proxy.upstream;

import dev.longshore.proxy.auth.Answer;
import dev.longshore.proxy.auth.ConnectionAuth;
import dev.longshore.proxy.message.BodyFraming;
import dev.longshore.proxy.message.Fields;
import dev.longshore.proxy.message.ResponseHead;
import dev.longshore.proxy.route.ProxyAddress;
import dev.longshore.vpnkit.hostsocket.DialResult;
import io.netty.buffer.ByteBuf;
import io.netty.channel.socket.DuplexChannel;
import io.netty.util.concurrent.Future;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * A connection to an HTTP proxy on which requests are made one after the other, with authentication: who makes them never sees a 407.
 * Confined to the channel's event loop.
 *
 * <p>Theory of operation. A 407 says that the proxy has passed nothing on, so the same request may be sent again, whatever its method:
 * on the same connection if it stayed usable, on a new one otherwise, unless the scheme authenticates connections. A body can be sent
 * only once, as it is not kept; so before a request with one, where the proxy's mind is not known, probes go through the
 * authentication up to its last leg, which is the request itself: where credentials are wanted, no probe gets beyond the
 * proxy. The body waits with the guest meanwhile, since this is not writable.
 */
public final class ProxyConnection implements Origin {
    /** More legs than any scheme has. */
    private static final int MAX_ROUNDS = 8;

    private final ProxyAddress proxy;
    private final ConnectionAuth auth;
    private final Supplier<Future<DialResult>> again;
    private OriginConnection connection;
    private OriginConnection.@Nullable Listener listener;
    private @Nullable Request request;
    private @Nullable Runnable onClose;
    private @Nullable Future<DialResult> dial;
    private boolean sending; // the request itself is on its way, not a probe, and not waiting for credentials
    private boolean reading;
    private boolean closed;
    private int rounds;
    private int serial; // counts them: what was asked for one is not for the next

    /**
     * @param channel to the proxy, owned from now on
     * @param again connects to the proxy once more
     */
    ProxyConnection(
            ProxyAddress proxy, DuplexChannel channel, ConnectionAuth auth, Supplier<Future<DialResult>> again) {
        this.proxy = proxy;
        this.auth = auth;
        this.again = again;
        this.connection = new OriginConnection(channel);
    }

    /** Who the proxy takes this connection for: compared by equality only. */
    public Object identity() {
        return auth.identity();
    }

    public ProxyAddress proxy() {
        return proxy;
    }

    /** By which scheme it was authenticated, for people; empty if it was not, or the guest did so itself. */
    public String authScheme() {
        return auth.scheme();
    }

    @Override
    public void begin(Request toSend, OriginConnection.Listener exchange) {
        request = toSend;
        listener = exchange;
        rounds = 0;
        sending = false;
        serial++;
        if (toSend.authenticatesItself()) {
            send(toSend, null, false);
        } else {
            boolean probes = toSend.hasBody() && !auth.isSettled();
            step(toSend, probes, probes ? auth.probe() : auth.first(toSend.method(), toSend.target()));
        }
    }

    private void step(Request r, boolean probes, Future<Answer> asked) {
        int asking = serial;
        asked.addListener(_ -> {
            if (closed || asking != serial) {
                return;
            }
            Answer answer = asked.isSuccess() ? asked.getNow() : new Answer.Refuse("authentication was given up");
            switch (answer) {
                case Answer.Send s -> send(r, s.value(), probes && (rounds == 0 || auth.isHalfWay()));
                case Answer.Refuse no -> lose(needsCredentials(no.text()), false);
            }
        });
    }

    private Reply needsCredentials(String why) {
        return new Reply(502, "proxy_configuration_error", "the upstream proxy " + proxy + ": " + why);
    }

    private void send(Request r, @Nullable String authorization, boolean probes) {
        if (!connection.isOpen()) {
            reconnect(r, authorization, probes);
            return;
        }
        if (probes) {
            connection.begin(Request.PROBE_METHOD, r.probe(authorization), false, new Relay(r, true, authorization));
            connection.setReading(true);
            connection.flush();
            return;
        }
        sending = true;
        connection.begin(r.method(), r.head(authorization), r.offersUpgrade(), new Relay(r, false, authorization));
        connection.setReading(reading);
        connection.flush();
        OriginConnection.Listener l = listener;
        if (l != null) {
            l.onWritabilityChanged();
        }
    }

    private void reconnect(Request r, @Nullable String authorization, boolean probes) {
        if (auth.needsThisConnection()) {
            lose(needsCredentials("it closed the connection in the middle of the authentication"), false);
            return;
        }
        Future<DialResult> connecting = again.get();
        dial = connecting;
        int dialing = serial;
        connecting.addListener(_ -> {
            dial = null;
            DialResult result = connecting.isSuccess() ? connecting.getNow() : new DialResult.Failed("given up");
            if (closed || dialing != serial) {
                if (result instanceof DialResult.Connected late) {
                    late.channel().close();
                }
            } else if (result instanceof DialResult.Connected c) {
                connection = new OriginConnection(c.channel());
                connection.onClose(onClose);
                send(r, authorization, probes);
            } else {
                lose(Reply.of(result).by(proxy), false);
            }
        });
    }

    /** Hears of the answers to one sending. Confined like the class around it. */
    private final class Relay implements OriginConnection.Listener {
        private final Request r;
        private final boolean probes;
        private final @Nullable String authorization;
        private @Nullable ResponseHead challenge;

        Relay(Request r, boolean probes, @Nullable String authorization) {
            this.r = r;
            this.probes = probes;
            this.authorization = authorization;
        }

        private OriginConnection.@Nullable Listener guest() {
            return probes || challenge != null ? null : listener;
        }

        @Override
        public void onInterim(ResponseHead head) {
            OriginConnection.Listener l = guest();
            if (l != null) {
                l.onInterim(head);
            }
        }

        @Override
        public void onHead(ResponseHead head, BodyFraming framing) {
            if (head.status() == 407 && !r.authenticatesItself()) {
                challenge = head;
                sending = false;
                connection.setReading(true);
                return;
            }
            if (!r.authenticatesItself()) {
                auth.answered();
            }
            OriginConnection.Listener l = guest();
            if (l != null) {
                l.onHead(head, framing);
            }
        }

        @Override
        public void onData(ByteBuf data) {
            OriginConnection.Listener l = guest();
            if (l == null) {
                data.release();
            } else {
                l.onData(data);
            }
        }

        @Override
        public void onEnd(Fields trailers, boolean reusable) {
            ResponseHead asks = challenge;
            if (asks == null && !probes) {
                OriginConnection.Listener l = listener;
                forget();
                if (l != null) {
                    l.onEnd(trailers, reusable);
                }
                return;
            }
            if (!reusable) {
                connection.onClose(null);
                connection.close();
            }
            if (asks == null) { // the probe went through
                step(r, false, auth.first(r.method(), r.target()));
            } else {
                challenged(asks);
            }
        }

        private void challenged(ResponseHead asks) {
            if (++rounds > MAX_ROUNDS) {
                lose(needsCredentials("it asks for credentials again and again"), false);
                return;
            }
            Future<Answer> answer = auth.challenged(asks.fields(), r.method(), r.target());
            if (r.hasBody() && !probes) {
                tooLate(answer);
            } else {
                step(r, r.hasBody(), answer);
            }
        }

        /** The body has gone; what was learned serves the next request. */
        private void tooLate(Future<Answer> answer) {
            int asking = serial;
            answer.addListener(_ -> {
                boolean known = answer.isSuccess() && answer.getNow() instanceof Answer.Send;
                auth.lost();
                if (!closed && asking == serial) {
                    lose(
                            needsCredentials(
                                    known || !answer.isSuccess()
                                            ? "it wants other credentials since; the request has to be sent again"
                                            : ((Answer.Refuse) answer.getNow()).text()),
                            false);
                }
            });
        }

        @Override
        public void onSwitched(ResponseHead head, ByteBuf early) {
            if (!r.authenticatesItself()) {
                auth.answered();
            }
            OriginConnection.Listener l = listener;
            forget();
            if (l != null) {
                l.onSwitched(head, early);
            } else {
                early.release();
            }
        }

        @Override
        public void onBatchEnd() {
            OriginConnection.Listener l = guest();
            if (l != null) {
                l.onBatchEnd();
            }
        }

        @Override
        public void onWritabilityChanged() {
            OriginConnection.Listener l = guest();
            if (l != null) {
                l.onWritabilityChanged();
            }
        }

        @Override
        public void onLost(Reply why, boolean silent) {
            if (silent
                    && rounds > 0
                    && !auth.needsThisConnection()
                    && ++rounds <= MAX_ROUNDS
                    && (probes || !r.hasBody())) {
                reconnect(r, authorization, probes); // some close behind a 407 without a word
            } else {
                lose(why.by(proxy), silent && rounds == 0 && !probes);
            }
        }
    }

    private void forget() {
        listener = null;
        request = null;
        sending = false;
    }

    private void lose(Reply why, boolean silent) {
        OriginConnection.Listener l = listener;
        close();
        if (l != null) {
            l.onLost(why, silent);
        }
    }

    @Override
    public void write(ByteBuf bytes) {
        connection.write(bytes);
    }

    @Override
    public void flush() {
        connection.flush();
    }

    @Override
    public boolean isWritable() {
        return sending && connection.isWritable();
    }

    @Override
    public boolean isOpen() {
        return !closed && connection.isOpen();
    }

    @Override
    public void setReading(boolean wanted) {
        reading = wanted;
        if (sending || request == null) {
            connection.setReading(wanted);
        }
    }

    @Override
    public void onClose(@Nullable Runnable hears) {
        onClose = hears;
        connection.onClose(hears);
    }

    @Override
    public void close() {
        if (closed) {
            return;
        }
        closed = true;
        forget();
        auth.lost();
        Future<DialResult> d = dial;
        if (d != null) {
            d.cancel(false);
        }
        connection.close();
    }

    @Override
    public DuplexChannel channel() {
        return connection.channel();
    }
}
