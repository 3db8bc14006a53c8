package dev.longshore.proxy.upstream;

import dev.longshore.packet.wire.IpAddress;
import dev.longshore.proxy.route.ProxyAddress.Login;
import dev.longshore.vpnkit.hostsocket.Destination;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import io.netty.channel.socket.DuplexChannel;
import io.netty.handler.codec.ByteToMessageDecoder;
import io.netty.util.concurrent.Future;
import io.netty.util.concurrent.Promise;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Opens a tunnel by SOCKS 5 (RFC 1928, with RFC 1929's user and password) or SOCKS 4a. Names are looked up by the proxy. Confined to
 * the channel's event loop.
 */
final class SocksHandshake extends ChannelInboundHandlerAdapter {
    /** How it ended. Immutable. */
    sealed interface Outcome {
        /** The channel leads to the remote; what was read ahead is in it. */
        record Open() implements Outcome {}

        /** The proxy answered, and it was no. */
        record Refused(Reply why) implements Outcome {}

        /**
         * The proxy did not do its part.
         *
         * @param spoken it has been told the remote or has answered before: so it may be for the remote that it did not
         */
        record Broken(String why, boolean spoken) implements Outcome {}
    }

    private enum State {
        METHOD,
        LOGIN,
        REPLY,
        REPLY_4,
        DONE
    }

    private static final int VERSION_5 = 5;
    private static final int NO_AUTHENTICATION = 0;
    private static final int USER_PASSWORD = 2;
    private static final int MAX_REPLY = 4 + 1 + 255 + 2;

    private final DuplexChannel channel;
    private final Destination to;
    private final @Nullable Login login;
    private final Promise<Outcome> outcome;
    private State state;
    private ByteBuf pending = Unpooled.EMPTY_BUFFER;

    private SocksHandshake(DuplexChannel channel, Destination to, @Nullable Login login, State state) {
        this.channel = channel;
        this.to = to;
        this.login = login;
        this.state = state;
        this.outcome = channel.eventLoop().newPromise();
    }

    /** Borrows the channel: the caller closes it unless the outcome is {@link Outcome.Open}. */
    static Future<Outcome> run5(DuplexChannel channel, Destination to, @Nullable Login login, Duration timeout) {
        SocksHandshake h = new SocksHandshake(channel, to, login, State.METHOD);
        ByteBuf hello = channel.alloc().buffer(4).writeByte(VERSION_5);
        if (login == null) {
            hello.writeByte(1).writeByte(NO_AUTHENTICATION);
        } else {
            hello.writeByte(2).writeByte(NO_AUTHENTICATION).writeByte(USER_PASSWORD);
        }
        return h.start(hello, timeout);
    }

    /** As {@link #run5}, with the login's user only. */
    static Future<Outcome> run4(DuplexChannel channel, Destination to, @Nullable Login login, Duration timeout) {
        SocksHandshake h = new SocksHandshake(channel, to, login, State.REPLY_4);
        IpAddress address = to.address();
        String name = to.name();
        if (name == null && address != null && !address.isV4()) {
            h.finish(new Outcome.Refused(
                    new Reply(502, "destination_ip_unroutable", "SOCKS 4 knows no IPv6 addresses")));
            return h.outcome;
        }
        ByteBuf request = channel.alloc().buffer(64).writeByte(4).writeByte(1).writeShort(to.port());
        request.writeInt(name == null && address != null ? (int) address.lo() : 1); // 0.0.0.1: a name follows
        if (login != null) {
            request.writeBytes(login.user().replace("\0", "").getBytes(StandardCharsets.UTF_8));
        }
        request.writeByte(0);
        if (name != null) {
            request.writeBytes(name.getBytes(StandardCharsets.US_ASCII)).writeByte(0);
        }
        return h.start(request, timeout);
    }

    private Future<Outcome> start(ByteBuf first, Duration timeout) {
        channel.pipeline().addLast(this);
        var timer = channel.eventLoop().schedule(this::onTimeout, timeout.toNanos(), TimeUnit.NANOSECONDS);
        outcome.addListener(_ -> timer.cancel(false));
        channel.writeAndFlush(first);
        channel.config().setAutoRead(true);
        return outcome;
    }

    /** A proxy that waits for a remote longer than we do is none that does not answer. */
    private void onTimeout() {
        finish(
                state == State.METHOD || state == State.REPLY_4
                        ? broken("no answer in time")
                        : new Outcome.Refused(new Reply(504, "connection_timeout", "it did not connect in time")));
    }

    private Outcome broken(String why) {
        return new Outcome.Broken(why, state != State.METHOD);
    }

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object msg) {
        pending = ByteToMessageDecoder.MERGE_CUMULATOR.cumulate(ctx.alloc(), pending, (ByteBuf) msg);
        boolean moved = true;
        while (moved && state != State.DONE) {
            moved = switch (state) {
                case METHOD -> pending.readableBytes() >= 2 && onMethod();
                case LOGIN -> pending.readableBytes() >= 2 && onLogin();
                case REPLY -> onReply();
                case REPLY_4 -> pending.readableBytes() >= 8 && onReply4();
                case DONE -> false;
            };
        }
    }

    private boolean onMethod() {
        int version = pending.readUnsignedByte();
        int method = pending.readUnsignedByte();
        if (version != VERSION_5) {
            finish(broken("it does not speak SOCKS 5"));
        } else if (method == NO_AUTHENTICATION) {
            sendRequest();
        } else if (method == USER_PASSWORD && login != null) {
            sendLogin(login);
        } else {
            finish(new Outcome.Refused(new Reply(
                    502,
                    "proxy_configuration_error",
                    login == null ? "it wants credentials, and none are known" : "it takes no user and password")));
        }
        return true;
    }

    /** RFC 1929 §2. */
    private void sendLogin(Login given) {
        byte[] user = given.user().getBytes(StandardCharsets.UTF_8);
        byte[] password = given.password().getBytes(StandardCharsets.UTF_8);
        if (user.length == 0 || user.length > 255 || password.length > 255) {
            finish(new Outcome.Refused(
                    new Reply(502, "proxy_configuration_error", "SOCKS takes 255 bytes of user and password")));
            return;
        }
        state = State.LOGIN;
        ByteBuf out = channel.alloc().buffer(3 + user.length + password.length).writeByte(1);
        out.writeByte(user.length).writeBytes(user).writeByte(password.length).writeBytes(password);
        channel.writeAndFlush(out);
    }

    private boolean onLogin() {
        pending.skipBytes(1); // the version: some send 1, others 5
        if (pending.readUnsignedByte() == 0) {
            sendRequest();
        } else {
            finish(new Outcome.Refused(
                    new Reply(502, "proxy_configuration_error", "it refused the user and password it was given")));
        }
        return true;
    }

    /** RFC 1928 §4. */
    private void sendRequest() {
        state = State.REPLY;
        ByteBuf out =
                channel.alloc().buffer(64).writeByte(VERSION_5).writeByte(1).writeByte(0);
        IpAddress address = to.address();
        String name = to.name();
        if (name != null) {
            byte[] bytes = name.getBytes(StandardCharsets.US_ASCII);
            out.writeByte(3).writeByte(bytes.length).writeBytes(bytes);
        } else if (address != null) {
            byte[] bytes = address.toInetAddress().getAddress();
            out.writeByte(bytes.length == 4 ? 1 : 4).writeBytes(bytes);
        }
        channel.writeAndFlush(out.writeShort(to.port()));
    }

    /** RFC 1928 §6. */
    private boolean onReply() {
        int at = pending.readerIndex();
        if (pending.readableBytes() < 5) {
            return false;
        }
        int length =
                switch (pending.getUnsignedByte(at + 3)) {
                    case 1 -> 10;
                    case 3 -> 7 + pending.getUnsignedByte(at + 4);
                    case 4 -> 22;
                    default -> MAX_REPLY + 1;
                };
        int code = pending.getUnsignedByte(at + 1);
        if (pending.getUnsignedByte(at) != VERSION_5 || (length > MAX_REPLY && code == 0)) {
            finish(broken("its answer is not one of SOCKS 5"));
        } else if (code != 0) {
            finish(new Outcome.Refused(refusal(code)));
        } else if (pending.readableBytes() < length) {
            return false;
        } else {
            pending.skipBytes(length);
            finish(new Outcome.Open());
        }
        return true;
    }

    private boolean onReply4() {
        int at = pending.readerIndex();
        int code = pending.getUnsignedByte(at + 1);
        pending.skipBytes(8);
        if (pending.getUnsignedByte(at) != 0) {
            finish(broken("its answer is not one of SOCKS 4"));
        } else if (code == 90) {
            finish(new Outcome.Open());
        } else {
            finish(new Outcome.Refused(new Reply(502, "destination_unavailable", "it could not connect")));
        }
        return true;
    }

    private static Reply refusal(int code) {
        return switch (code) {
            case 2 -> new Reply(403, "http_request_denied", "it does not allow this connection");
            case 3 -> new Reply(502, "destination_ip_unroutable", "network unreachable");
            case 4 -> new Reply(502, "destination_ip_unroutable", "host unreachable or unknown");
            case 5 -> new Reply(502, "connection_refused", "connection refused");
            case 6 -> new Reply(504, "connection_timeout", "TTL expired");
            default -> new Reply(502, "destination_unavailable", "it could not connect");
        };
    }

    private void finish(Outcome how) {
        if (state == State.DONE) {
            return;
        }
        state = State.DONE;
        ByteBuf rest = pending;
        pending = Unpooled.EMPTY_BUFFER;
        channel.config().setAutoRead(false);
        if (channel.pipeline().context(this) != null) {
            channel.pipeline().remove(this);
        }
        if (how instanceof Outcome.Open && rest.isReadable()) {
            channel.pipeline().addLast(new ReadAhead(rest));
        } else {
            rest.release();
        }
        outcome.trySuccess(how);
    }

    @Override
    public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
        if (event instanceof ChannelInputShutdownEvent) {
            finish(broken("it closed the connection"));
        } else {
            ctx.fireUserEventTriggered(event);
        }
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
        finish(broken("the connection broke"));
    }

    @Override
    public void channelInactive(ChannelHandlerContext ctx) {
        finish(broken("it closed the connection"));
    }
}
