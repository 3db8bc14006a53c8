package dev.longshore.vpnkit.udp;

import dev.longshore.vpnkit.flow.GuestConnector.UdpFlow;
import dev.longshore.vpnkit.flow.GuestConnector.UdpReplies;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * A remote of a published port of the guest itself, which may listen at either of its two addresses. The second is used from
 * when the guest says that nobody listens at the first; the datagram that found it out is sent again. Confined to the link's
 * event loop.
 */
final class UdpChoice implements UdpFlow, UdpReplies {
    /** What is kept of the first datagram for a second try; a longer one is lost, as any datagram may be. */
    static final int MAX_KEPT = 2048;

    private final UdpReplies replies;
    private final Function<UdpReplies, UdpFlow> toSecond;
    private UdpFlow flow;
    private boolean settled;
    private boolean closed;

    /** Null before the first datagram, and when it is not needed any more. */
    private @Nullable ByteBuf first;

    private boolean begun;

    UdpChoice(UdpReplies replies, Function<UdpReplies, UdpFlow> toFirst, Function<UdpReplies, UdpFlow> toSecond) {
        this.replies = replies;
        this.toSecond = toSecond;
        this.flow = toFirst.apply(this);
    }

    @Override
    public void sendToGuest(ByteBuf b, int at, int len) {
        if (!begun && !closed) {
            begun = true;
            if (len <= MAX_KEPT) {
                first = Unpooled.buffer(Math.max(1, len), Math.max(1, len)).writeBytes(b, at, len);
            }
        }
        flow.sendToGuest(b, at, len);
    }

    @Override
    public void onReply(ByteBuf b, int at, int len) {
        settle();
        replies.onReply(b, at, len);
    }

    @Override
    public void onUnreachable() {
        if (settled || closed) {
            replies.onUnreachable();
            return;
        }
        ByteBuf again = first;
        settle();
        flow.close();
        flow = toSecond.apply(this);
        if (again != null) {
            flow.sendToGuest(again, again.readerIndex(), again.readableBytes());
        }
    }

    private void settle() {
        settled = true;
        first = null; // on the heap: nothing to release
    }

    @Override
    public void close() {
        closed = true;
        first = null;
        flow.close();
    }
}
