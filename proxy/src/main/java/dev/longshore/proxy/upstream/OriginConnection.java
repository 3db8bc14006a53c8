package dev.longshore.proxy.upstream;

import dev.longshore.proxy.message.BadMessage;
import dev.longshore.proxy.message.BodyFraming;
import dev.longshore.proxy.message.BodyReader;
import dev.longshore.proxy.message.Fields;
import dev.longshore.proxy.message.HeadReader;
import dev.longshore.proxy.message.HopByHop;
import dev.longshore.proxy.message.HttpVersion;
import dev.longshore.proxy.message.ResponseHead;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelOption;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import io.netty.channel.socket.DuplexChannel;
import io.netty.handler.codec.ByteToMessageDecoder;
import org.jspecify.annotations.Nullable;

/**
 * Our client side of one connection to an origin: one exchange at a time, idle in between.
 * Confined to the channel's event loop, which is the guest connection's too.
 */
public final class OriginConnection extends ChannelInboundHandlerAdapter implements Origin {
    /** Hears of the response to the request in flight, in this order; nothing comes after onEnd, onSwitched, onLost. */
    public interface Listener {
        /** 1xx but 101. */
        void onInterim(ResponseHead head);

        void onHead(ResponseHead head, BodyFraming framing);

        /** Takes ownership of {@code data}. */
        void onData(ByteBuf data);

        /** The response is complete; {@code reusable} if another request may follow on this connection. */
        void onEnd(Fields trailers, boolean reusable);

        /** 101, or 2xx to CONNECT: from now on bytes. The connection has let go of the channel; takes ownership of {@code early}. */
        void onSwitched(ResponseHead head, ByteBuf early);

        /** A batch of calls is over: flush. */
        void onBatchEnd();

        /** The connection can take more of the request, or no more. */
        void onWritabilityChanged();

        /** The connection is useless. {@code silent}: not one byte of a response came. */
        void onLost(Reply why, boolean silent);
    }

    /** A server may send any number of interim responses, but not for ever. */
    private static final int MAX_INTERIM = 100;

    private static final Reply CLOSED = new Reply(502, "connection_terminated", "the server closed the connection");

    private final DuplexChannel channel;
    private @Nullable Listener listener;
    private @Nullable Runnable onClose;
    private String method = "";
    private HeadReader reader = HeadReader.response();
    private @Nullable ResponseHead head;
    private @Nullable BodyReader body;
    private @Nullable ByteBuf pending;
    private boolean upgradeOffered;
    private boolean silent;
    private int interims;

    /** Owns {@code channel} from now on. */
    public OriginConnection(DuplexChannel channel) {
        this.channel = channel;
        // A server that refuses an upload answers and closes: a failed write must not throw its answer away.
        channel.config().setOption(ChannelOption.AUTO_CLOSE, false);
        channel.pipeline().addLast(this);
    }

    @Override
    public DuplexChannel channel() {
        return channel;
    }

    @Override
    public void begin(Request request, Listener exchange) {
        begin(request.method(), request.head(null), request.offersUpgrade(), exchange);
    }

    /** Sends a request's head and waits for its response. Takes ownership of {@code requestHead}. */
    void begin(String requestMethod, ByteBuf requestHead, boolean offersUpgrade, Listener exchange) {
        assert channel.eventLoop().inEventLoop() && listener == null;
        listener = exchange;
        method = requestMethod;
        upgradeOffered = offersUpgrade;
        reader = HeadReader.response();
        head = null;
        body = null;
        silent = true;
        interims = 0;
        channel.write(requestHead);
    }

    @Override
    public void write(ByteBuf bytes) {
        channel.write(bytes);
    }

    @Override
    public void flush() {
        channel.flush();
    }

    @Override
    public boolean isWritable() {
        return channel.isWritable();
    }

    @Override
    public boolean isOpen() {
        return channel.isActive();
    }

    @Override
    public void setReading(boolean wanted) {
        channel.config().setAutoRead(wanted);
    }

    @Override
    public void onClose(@Nullable Runnable hears) {
        onClose = hears;
    }

    @Override
    public void close() {
        listener = null;
        releasePending();
        Runnable hears = onClose;
        onClose = null;
        if (hears != null) {
            hears.run();
        }
        channel.close();
    }

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object msg) {
        ByteBuf in = (ByteBuf) msg;
        if (listener == null) { // nobody asked: never take this for the answer to the next request
            in.release();
            close();
            return;
        }
        silent = false;
        ByteBuf merged = pending == null ? in : ByteToMessageDecoder.MERGE_CUMULATOR.cumulate(ctx.alloc(), pending, in);
        pending = merged;
        try {
            parse(merged);
        } catch (BadMessage e) {
            lose(Reply.of(e));
        }
        if (pending != null && !pending.isReadable()) {
            releasePending();
        }
    }

    private void parse(ByteBuf in) throws BadMessage {
        while (listener != null && in.isReadable()) {
            BodyReader current = body;
            if (current == null) {
                if (!reader.read(in)) {
                    return;
                }
                onHead(ResponseHead.parse(reader.startLine(), reader.fields()), in);
            } else {
                current.read(in, this::onData);
                if (!current.isDone()) {
                    return; // half a line of a trailer section stays readable until the rest has come
                }
                endIfDone(current, in);
            }
        }
    }

    private void onData(ByteBuf data) {
        Listener l = listener;
        if (l != null) {
            l.onData(data);
        } else {
            data.release();
        }
    }

    private void onHead(ResponseHead received, ByteBuf in) throws BadMessage {
        Listener l = listener;
        if (l == null) {
            return;
        }
        boolean tunnel =
                method.equals("CONNECT") && received.status() / 100 == 2; // RFC 9110 §9.3.6: whatever fields it has
        if (tunnel || received.status() == 101) {
            if (!tunnel && !upgradeOffered) {
                throw new BadMessage(502, "the server changes the protocol unasked");
            }
            switchProtocol(received, l);
        } else if (received.isInterim()) {
            if (++interims > MAX_INTERIM) {
                throw new BadMessage(502, "the server sends interim responses without end");
            }
            reader = HeadReader.response();
            l.onInterim(received);
        } else {
            BodyFraming framing = BodyFraming.ofResponse(received, method);
            BodyReader started = new BodyReader(framing, true);
            head = received;
            body = started;
            l.onHead(received, framing);
            endIfDone(started, in);
        }
    }

    private void switchProtocol(ResponseHead received, Listener l) {
        listener = null;
        ByteBuf early = pending == null ? Unpooled.EMPTY_BUFFER : pending.readRetainedSlice(pending.readableBytes());
        releasePending();
        channel.pipeline().remove(this);
        l.onSwitched(received, early);
    }

    private void endIfDone(BodyReader current, ByteBuf in) {
        Listener l = listener;
        if (l != null && current.isDone()) {
            boolean reusable = !in.isReadable() && isReusable();
            listener = null;
            l.onEnd(current.trailers(), reusable);
        }
    }

    /** False where a misunderstanding would make the next response somebody else's bytes. */
    private boolean isReusable() {
        ResponseHead h = head;
        if (h == null || HopByHop.closes(h.version(), h.fields())) {
            return false;
        }
        boolean coded = h.fields().has("Transfer-Encoding");
        boolean measured = h.fields().has("Content-Length");
        boolean ambiguous = coded && (measured || h.version() == HttpVersion.HTTP_1_0); // RFC 9112 §6.1
        boolean oddBody = h.status() == 204 ? coded || measured : h.status() == 304 && coded;
        return !ambiguous && !oddBody;
    }

    @Override
    public void channelReadComplete(ChannelHandlerContext ctx) {
        Listener l = listener;
        if (l != null) {
            l.onBatchEnd();
        }
    }

    @Override
    public void channelWritabilityChanged(ChannelHandlerContext ctx) {
        Listener l = listener;
        if (l != null) {
            l.onWritabilityChanged();
        }
    }

    @Override
    public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
        if (event instanceof ChannelInputShutdownEvent) {
            BodyReader current = body;
            Listener l = listener;
            if (l != null && current != null && current.endsWithStream()) {
                listener = null;
                l.onEnd(current.trailers(), false);
            } else {
                lose(CLOSED);
            }
        }
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
        lose(new Reply(502, "connection_terminated", "the connection to the server broke"));
    }

    @Override
    public void channelInactive(ChannelHandlerContext ctx) {
        lose(CLOSED);
    }

    private void lose(Reply why) {
        Listener l = listener;
        close();
        if (l != null) {
            l.onLost(why, silent);
        }
    }

    private void releasePending() {
        if (pending != null) {
            pending.release();
            pending = null;
        }
    }
}
