package dev.longshore.vpnkit.tcp;

import dev.longshore.vpnkit.flow.FlowChannel;
import dev.longshore.vpnkit.flow.GuestSide;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.EventLoop;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/**
 * A host socket in memory, with the remote in the test's hands: what is written to {@link #channel} arrives at
 * {@link #received}, what the remote {@link #sends} is read from it. (It is a FlowChannel the other way round.)
 */
final class FakeHost implements GuestSide {
    private static final InetSocketAddress NOWHERE = InetSocketAddress.createUnresolved("remote", 0);

    final FlowChannel channel;
    private final ByteBuf received = Unpooled.buffer();
    private boolean eof;
    private boolean closed;
    private boolean reset;
    private int kernelBuffer = Integer.MAX_VALUE;

    FakeHost(EventLoop loop) {
        channel = new FlowChannel(this, NOWHERE, NOWHERE, () -> 1 << 20);
        channel.config().setAutoRead(false);
        loop.register(channel);
        channel.hostSide().wantMore(true);
    }

    /** The remote sends. */
    void sends(byte... data) {
        channel.hostSide().deliver(Unpooled.wrappedBuffer(data));
        channel.hostSide().flush();
    }

    void sends(String data) {
        sends(data.getBytes(StandardCharsets.ISO_8859_1));
    }

    /** Bytes the daemon has not read from the socket. */
    int unread() {
        return (1 << 20) - channel.hostSide().room();
    }

    /** The remote's FIN. */
    void finishes() {
        channel.hostSide().guestFinished();
    }

    /** The remote's RST. */
    void resets() {
        channel.hostSide().abort();
    }

    /** The remote reads nothing any more, and the kernel takes only so many bytes. */
    void stalls(int takes) {
        kernelBuffer = takes;
        channel.hostSide().wantMore(takes > 0);
    }

    /** The remote reads again. */
    void resumes() {
        kernelBuffer = Integer.MAX_VALUE;
        channel.hostSide().wantMore(true);
    }

    byte[] takeReceived() {
        byte[] bytes = new byte[received.readableBytes()];
        received.readBytes(bytes).discardReadBytes();
        return bytes;
    }

    String takeText() {
        return new String(takeReceived(), StandardCharsets.ISO_8859_1);
    }

    int receivedBytes() {
        return received.readableBytes();
    }

    boolean sawEof() {
        return eof;
    }

    /** Closed by the daemon, in good order or not. */
    boolean isClosed() {
        return closed;
    }

    /** Closed by the daemon with RST. */
    boolean isReset() {
        return reset;
    }

    // ---- the kernel's side

    @Override
    public void fromHost(ByteBuf data) {
        kernelBuffer -= data.readableBytes();
        received.writeBytes(data);
        data.release();
        if (kernelBuffer <= 0) {
            channel.hostSide().wantMore(false);
        }
    }

    @Override
    public void fromHostComplete() {}

    @Override
    public void hostFinished() {
        eof = true;
    }

    @Override
    public void hostHasRoom() {}

    @Override
    public void hostClosed(@Nullable Throwable cause) {
        closed = true;
        reset = cause != null;
    }
}
