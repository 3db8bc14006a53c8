package dev.longshore.virtio.vsock;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ConnectTimeoutException;
import io.netty.channel.socket.DuplexChannel;
import io.netty.util.concurrent.Promise;
import io.netty.util.concurrent.ScheduledFuture;
import java.io.IOException;
import java.net.ConnectException;
import java.net.SocketException;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * One stream as the packet protocol sees it: its state, both credits, and what has to be told to the guest. Confined to the
 * device's event loop.
 *
 * <p>Theory of operation. Nothing is queued for the guest: a packet is made at the moment the guest has a buffer for it. What
 * has to be said is kept as one flag a kind, so a guest that asks and never takes the answers costs no memory. {@link #sendOne}
 * picks the most urgent: RST, then REQUEST or RESPONSE, then bytes while there is credit, then credit messages, and SHUTDOWN
 * last, since it follows the bytes. Every packet carries our credit, so bytes make a credit update unnecessary.
 */
final class VsockStream {
    private final VsockHost host;
    private final int guestPort;
    private final int hostPort;
    private final boolean openedByGuest;
    private final SendCredit send;
    private final ReceiveCredit receive;

    private StreamState state;
    private boolean requestDue;
    private boolean responseDue;
    private boolean creditUpdateDue;
    private boolean creditRequestDue;
    private boolean creditRequested;
    private boolean shutdownDue;
    private int hostShutdown;
    private int guestShutdown;
    private boolean released;

    private @Nullable VsockChannel channel;
    private @Nullable Promise<DuplexChannel> connecting;
    private @Nullable ScheduledFuture<?> timer;

    /** True while the host has this stream in its list of those with something to send. */
    boolean queued;

    private VsockStream(VsockHost host, int guestPort, int hostPort, boolean openedByGuest, StreamState state) {
        this.host = host;
        this.guestPort = guestPort;
        this.hostPort = hostPort;
        this.openedByGuest = openedByGuest;
        this.state = state;
        send = new SendCredit(0);
        receive = new ReceiveCredit(host.unread().grant(), 0);
    }

    /** A stream the host asks for; {@code connecting} gets its channel. */
    static VsockStream toGuest(VsockHost host, int guestPort, int hostPort, Promise<DuplexChannel> connecting) {
        VsockStream stream = new VsockStream(host, guestPort, hostPort, false, StreamState.REQUESTED);
        stream.connecting = connecting;
        stream.requestDue = true;
        stream.startTimer(host.limits().connectTimeout());
        return stream;
    }

    /** A stream the guest asked for by the REQUEST at {@code header}, granted. */
    static VsockStream fromGuest(VsockHost host, ByteBuf header) {
        VsockStream stream = new VsockStream(
                host, VsockHeader.srcPort(header, 0), VsockHeader.dstPort(header, 0), true, StreamState.ESTABLISHED);
        stream.send.onGuest(VsockHeader.bufAlloc(header, 0), 0);
        stream.responseDue = true;
        return stream;
    }

    long key() {
        return VsockHost.key(guestPort, hostPort);
    }

    boolean openedByGuest() {
        return openedByGuest;
    }

    int hostPort() {
        return hostPort;
    }

    StreamState state() {
        return state;
    }

    /** Bytes the guest may have under way and unread here. */
    int bufAlloc() {
        return receive.bufAlloc();
    }

    VsockHost host() {
        return host;
    }

    VsockAddress hostAddress() {
        return new VsockAddress(VsockHost.HOST_CID, hostPort);
    }

    VsockAddress guestAddress() {
        return new VsockAddress(host.guestCid(), guestPort);
    }

    /** Gives an established stream its channel, which has yet to be registered. */
    VsockChannel openChannel() {
        VsockChannel opened = new VsockChannel(this);
        channel = opened;
        return opened;
    }

    // ---- from the guest

    /** A valid packet of this stream; {@code payload} holds its len bytes. */
    void onPacket(ByteBuf header, PayloadFromGuest payload) {
        int op = VsockHeader.op(header, 0);
        if (op == VsockHeader.OP_RST) {
            onReset();
            return;
        }
        if (state == StreamState.RESETTING || state == StreamState.CLOSED) {
            host.counters().count(VsockCounter.DROPPED_CLOSED);
            return;
        }
        if (!send.onGuest(VsockHeader.bufAlloc(header, 0), VsockHeader.fwdCnt(header, 0))) {
            onViolation("acknowledged bytes that were never sent");
            return;
        }
        switch (op) {
            case VsockHeader.OP_RESPONSE -> onResponse();
            case VsockHeader.OP_SHUTDOWN -> onShutdown(VsockHeader.flags(header, 0));
            case VsockHeader.OP_RW -> onBytes(VsockHeader.len(header, 0), payload);
            case VsockHeader.OP_CREDIT_UPDATE -> {} // taken above, as from every packet
            case VsockHeader.OP_CREDIT_REQUEST -> creditUpdateDue = true;
            default -> onViolation("sent operation " + op);
        }
        if (hasWork()) {
            host.ready(this);
        }
    }

    private void onResponse() {
        StreamState next = state.onResponse();
        if (next == StreamState.RESETTING) {
            onViolation("sent a second RESPONSE");
        } else if (next != state) {
            become(next);
            host.counters().count(VsockCounter.STREAMS_TO_GUEST);
            Promise<DuplexChannel> promise = connecting;
            connecting = null;
            VsockChannel opened = openChannel();
            opened.config().setAutoRead(false);
            host.loop().register(opened);
            if (promise == null || !promise.trySuccess(opened)) {
                opened.unsafe().close(opened.unsafe().voidPromise()); // cancelled in the same turn of the loop
            }
        }
    }

    private void onShutdown(int flags) {
        if (state == StreamState.REQUESTED) {
            onViolation("sent SHUTDOWN for RESPONSE");
            return;
        }
        int before = guestShutdown;
        guestShutdown |= flags & VsockHeader.SHUTDOWN_BOTH;
        VsockChannel open = channel;
        if (guestShutdown == VsockHeader.SHUTDOWN_BOTH) {
            become(state.onShutdownOfBoth());
            if (open != null && open.isOpen()) {
                open.onGuestClosed();
            }
        } else if (guestShutdown != before && open != null && open.isOpen()) {
            if (guestShutdown == VsockHeader.SHUTDOWN_SEND) {
                open.onGuestEof();
            } else {
                open.onGuestReadsNoMore();
            }
        }
    }

    private void onBytes(int bytes, PayloadFromGuest payload) {
        VsockChannel open = channel;
        if (state == StreamState.CLOSING) {
            host.counters().count(VsockCounter.DROPPED_CLOSED);
        } else if (open == null) {
            onViolation("sent bytes before RESPONSE");
        } else if ((guestShutdown & VsockHeader.SHUTDOWN_SEND) != 0) {
            onViolation("sent bytes after its end of stream");
        } else if (!receive.onReceived(bytes)) {
            onViolation("sent more than its credit");
        } else if (bytes > 0) {
            host.counters().add(VsockCounter.BYTES_FROM_GUEST, bytes);
            open.onBytes(bytes, payload);
        }
    }

    private void onReset() {
        StreamState before = state;
        become(StreamState.CLOSED);
        VsockChannel open = channel;
        if (before == StreamState.REQUESTED) {
            host.counters().count(VsockCounter.CONNECTS_REFUSED);
            failConnect(new ConnectException("Connection refused: " + guestAddress()));
        } else if (open != null && open.isOpen()) {
            boolean over = hostShutdown == VsockHeader.SHUTDOWN_BOTH
                    || (hostShutdown & guestShutdown & VsockHeader.SHUTDOWN_SEND) != 0;
            if (!over) {
                host.counters().count(VsockCounter.STREAMS_RESET);
            }
            open.onReset(over ? null : new SocketException("Connection reset by " + guestAddress()));
        }
    }

    /** The guest broke the protocol: the stream ends with RST. */
    void onViolation(String what) {
        host.counters().count(VsockCounter.VIOLATIONS);
        fail(new SocketException("Connection reset: " + guestAddress() + " " + what));
    }

    /** The device is gone, and the guest's side of every stream with it. */
    void onDeviceDown() {
        if (state == StreamState.ESTABLISHED) {
            host.counters().count(VsockCounter.STREAMS_RESET);
        }
        fail(new SocketException("Connection reset: the guest's vsock device went away"));
        become(StreamState.CLOSED);
    }

    private void fail(IOException cause) {
        become(state.onFailure());
        failConnect(cause);
        VsockChannel open = channel;
        if (open != null && open.isOpen()) {
            open.onReset(cause);
        }
    }

    private void failConnect(IOException cause) {
        Promise<DuplexChannel> promise = connecting;
        connecting = null;
        if (promise != null) {
            promise.tryFailure(cause);
        }
    }

    // ---- from the host

    /** The connect was cancelled, if it is still under way. */
    void onConnectCancelled() {
        if (state == StreamState.REQUESTED) {
            connecting = null;
            become(state.onFailure());
        }
    }

    /** The channel has flushed bytes. */
    void onBytesToSend() {
        if (hasWork()) {
            host.ready(this);
        }
    }

    /** The reader took {@code bytes}; the guest hears of it when it may believe that little is left. */
    void onConsumed(int bytes) {
        receive.onConsumed(bytes);
        if (state == StreamState.ESTABLISHED && receive.updateDue()) {
            creditUpdateDue = true;
            host.ready(this);
        }
    }

    /** Half-close, one of the {@code SHUTDOWN_} flags; all bytes written before have been sent. */
    void shutdownFromHost(int flag) {
        if (state == StreamState.ESTABLISHED && (hostShutdown & flag) == 0) {
            hostShutdown |= flag;
            shutdownDue = true;
            host.ready(this);
        }
    }

    /** The channel is closed, for whatever reason. */
    void onChannelClosed(boolean abort) {
        StreamState next = state.onHostClose(abort);
        if (next == StreamState.CLOSING) {
            hostShutdown = VsockHeader.SHUTDOWN_BOTH;
            shutdownDue = true;
            creditUpdateDue = false;
            creditRequestDue = false;
            host.ready(this);
        }
        become(next);
        releaseIfOver();
    }

    // ---- to the guest

    private boolean hasBytes() {
        VsockChannel open = channel;
        return state.isOpen() && open != null && open.hasBytesToSend();
    }

    /** True if a packet could be sent now; also asks for credit, once for each time it ran out. */
    boolean hasWork() {
        boolean bytes = hasBytes();
        if (bytes && send.available() == 0 && !creditRequested) {
            creditRequested = true;
            creditRequestDue = true;
        }
        return state == StreamState.RESETTING
                || requestDue
                || responseDue
                || (bytes && send.available() > 0)
                || creditUpdateDue
                || creditRequestDue
                || shutdownDue;
    }

    /** Sends the most urgent packet, if there is one; {@code room} bytes of payload fit. True if it sent one. */
    boolean sendOne(PacketsToGuest out, ByteBuf header, int room) {
        if (!hasWork()) {
            return false;
        }
        if (state == StreamState.RESETTING) {
            sendControl(out, header, VsockHeader.OP_RST);
            become(StreamState.CLOSED);
        } else if (requestDue || responseDue) {
            int op = requestDue ? VsockHeader.OP_REQUEST : VsockHeader.OP_RESPONSE;
            requestDue = false;
            responseDue = false;
            sendControl(out, header, op);
        } else if (hasBytes() && send.available() > 0 && room > 0) {
            sendBytes(out, header, Math.min(room, VsockHeader.MAX_PAYLOAD));
        } else if (creditRequestDue) {
            creditRequestDue = false;
            sendControl(out, header, VsockHeader.OP_CREDIT_REQUEST);
        } else if (shutdownDue && !creditUpdateDue) {
            shutdownDue = false;
            sendControl(out, header, VsockHeader.OP_SHUTDOWN);
        } else {
            sendControl(out, header, VsockHeader.OP_CREDIT_UPDATE); // or the buffer is too small to be of any other use
        }
        return true;
    }

    private void sendBytes(PacketsToGuest out, ByteBuf header, int most) {
        VsockChannel open = channel;
        if (open == null) {
            return;
        }
        int bytes = open.bytesToSend(Math.min(most, send.available()));
        send.onSent(bytes);
        creditRequested = false;
        begin(out, header, VsockHeader.OP_RW, bytes);
        open.appendTo(out, bytes);
        out.commit();
        host.counters().add(VsockCounter.BYTES_TO_GUEST, bytes);
        open.onSent(bytes);
    }

    private void sendControl(PacketsToGuest out, ByteBuf header, int op) {
        begin(out, header, op, 0);
        out.commit();
    }

    private void begin(PacketsToGuest out, ByteBuf header, int op, int bytes) {
        VsockHeader.write(
                header, 0, VsockHost.HOST_CID, hostPort, host.guestCid(), guestPort, VsockHeader.TYPE_STREAM, op);
        VsockHeader.setLen(header, 0, bytes);
        if (op == VsockHeader.OP_SHUTDOWN) {
            VsockHeader.setFlags(header, 0, hostShutdown);
        }
        VsockHeader.setCredit(header, 0, receive.bufAlloc(), receive.tell());
        creditUpdateDue = false;
        out.begin(header);
        host.counters().count(VsockCounter.PACKETS_TO_GUEST);
    }

    // ---- effects

    private void become(StreamState next) {
        if (next == state) {
            return;
        }
        host.trace(this, next);
        state = next;
        stopTimer();
        if (next == StreamState.CLOSING) {
            startTimer(host.limits().closeTimeout());
        } else if (next == StreamState.RESETTING) {
            saysNothingElse();
            host.ready(this);
        } else if (next == StreamState.CLOSED) {
            saysNothingElse();
            host.forget(this);
            releaseIfOver();
        }
    }

    private void saysNothingElse() {
        requestDue = false;
        responseDue = false;
        creditUpdateDue = false;
        creditRequestDue = false;
        shutdownDue = false;
    }

    private void releaseIfOver() {
        VsockChannel open = channel;
        if (!released && state == StreamState.CLOSED && (open == null || !open.isOpen())) {
            released = true;
            host.release(this);
            if (open != null) {
                host.counters().count(VsockCounter.STREAMS_ENDED);
            }
        }
    }

    private void startTimer(Duration after) {
        timer = host.loop().schedule(this::onTimer, after.toNanos(), TimeUnit.NANOSECONDS);
    }

    private void stopTimer() {
        ScheduledFuture<?> running = timer;
        timer = null;
        if (running != null) {
            running.cancel(false);
        }
    }

    private void onTimer() {
        timer = null;
        boolean unanswered = state == StreamState.REQUESTED;
        become(state.onFailure());
        if (unanswered) {
            host.counters().count(VsockCounter.CONNECTS_TIMED_OUT);
            failConnect(new ConnectTimeoutException("No answer from " + guestAddress()));
        }
        host.drain();
    }

    /** {@code ESTABLISHED 3:2375<-2:1073741824}. */
    @Override
    public String toString() {
        return state + " " + guestAddress() + (openedByGuest ? "->" : "<-") + hostAddress();
    }
}
