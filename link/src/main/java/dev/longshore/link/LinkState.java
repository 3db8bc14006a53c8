package dev.longshore.link;

import dev.longshore.packet.link.FrameSink;
import io.netty.channel.EventLoop;

/**
 * Whether a guest is on the link, and what the sink has heard of it. Confined to the link's event loop.
 *
 * <p>The sink hears of a change in a task of its own, since the change is often found out within a call of the sink's: a
 * write that fails.
 */
public final class LinkState {
    private final EventLoop loop;
    private final FrameSink sink;
    private final Runnable onUp;
    private boolean up;
    private boolean announced;
    private boolean closed;

    /** @param onUp called after the sink has heard that the link is up */
    public LinkState(EventLoop loop, FrameSink sink, Runnable onUp) {
        this.loop = loop;
        this.sink = sink;
        this.onUp = onUp;
    }

    public boolean isUp() {
        return up;
    }

    /** Nothing happens if it is so already. */
    public void become(boolean isUp) {
        if (up != isUp) {
            up = isUp;
            loop.execute(this::announce);
        }
    }

    private void announce() {
        if (closed || up == announced) {
            return;
        }
        announced = up;
        sink.onLinkState(up);
        if (up && !closed) {
            onUp.run();
        }
    }

    /** The sink hears nothing more. */
    public void close() {
        closed = true;
        up = false;
    }
}
