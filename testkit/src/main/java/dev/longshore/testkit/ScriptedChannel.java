package dev.longshore.testkit;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelOption;
import io.netty.channel.ChannelPromise;
import io.netty.channel.EventLoop;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import io.netty.channel.socket.DuplexChannel;
import java.net.SocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** One end of a stream whose other end is the test: bytes as ISO-8859-1 text, half-closure, virtual time. */
public final class ScriptedChannel extends EmbeddedChannel implements DuplexChannel {
    private final StringBuilder sent = new StringBuilder();
    private @Nullable EventLoop shared;
    private boolean inputShutdown;
    private boolean outputShutdown;
    private @Nullable SocketAddress peer;

    /** Auto-read is off at first. */
    public ScriptedChannel(ChannelHandler... handlers) {
        freezeTime();
        pipeline().addLast(handlers);
        config().setAutoRead(false);
    }

    /** A channel that says it lives on {@code other}'s event loop, as two channels of one relay must. */
    public static ScriptedChannel beside(ScriptedChannel other) {
        ScriptedChannel channel = new ScriptedChannel();
        channel.shared = other.eventLoop();
        return channel;
    }

    /** The peer's address from now on, as of a socket; it has none of an Internet otherwise. */
    public ScriptedChannel with(SocketAddress address) {
        peer = address;
        return this;
    }

    @Override
    protected @Nullable SocketAddress remoteAddress0() {
        return peer == null ? super.remoteAddress0() : peer;
    }

    @Override
    public EventLoop eventLoop() {
        return shared == null ? super.eventLoop() : shared;
    }

    /** The peer sends {@code text}, in one piece. */
    public void receive(String text) {
        writeInbound(Unpooled.copiedBuffer(text, StandardCharsets.ISO_8859_1));
    }

    /** The peer sends {@code text} one byte at a time. */
    public void receiveBytewise(String text) {
        for (int i = 0; i < text.length(); i++) {
            receive(text.substring(i, i + 1));
        }
    }

    /** The peer sends FIN. */
    public void receiveEof() {
        inputShutdown = true;
        pipeline().fireUserEventTriggered(ChannelInputShutdownEvent.INSTANCE);
        runPendingTasks();
    }

    /** The peer sends RST. */
    public void receiveReset() {
        pipeline().fireExceptionCaught(new java.io.IOException("Connection reset by peer"));
        close();
        runPendingTasks();
    }

    /** All that was sent to the peer since the last call. */
    public String sent() {
        runPendingTasks();
        String text = sent.toString();
        sent.setLength(0);
        return text;
    }

    /** Kept as text, so that what a test does not ask for is no leak. */
    @Override
    protected void handleOutboundMessage(Object msg) {
        ByteBuf b = (ByteBuf) msg;
        sent.append(b.toString(StandardCharsets.ISO_8859_1));
        b.release();
    }

    /** Lets virtual time pass. */
    public void pass(long seconds) {
        advanceTimeBy(seconds, TimeUnit.SECONDS);
        runScheduledPendingTasks();
        runPendingTasks();
    }

    /** Whether more would be read from the peer now. */
    public boolean wantsToRead() {
        return config().getOption(ChannelOption.AUTO_READ);
    }

    @Override
    public boolean isInputShutdown() {
        return inputShutdown;
    }

    @Override
    public ChannelFuture shutdownInput() {
        return shutdownInput(newPromise());
    }

    @Override
    public ChannelFuture shutdownInput(ChannelPromise promise) {
        inputShutdown = true;
        return promise.setSuccess();
    }

    @Override
    public boolean isOutputShutdown() {
        return outputShutdown;
    }

    @Override
    public ChannelFuture shutdownOutput() {
        return shutdownOutput(newPromise());
    }

    @Override
    public ChannelFuture shutdownOutput(ChannelPromise promise) {
        outputShutdown = true;
        return promise.setSuccess();
    }

    @Override
    public boolean isShutdown() {
        return inputShutdown && outputShutdown;
    }

    @Override
    public ChannelFuture shutdown() {
        return shutdown(newPromise());
    }

    @Override
    public ChannelFuture shutdown(ChannelPromise promise) {
        inputShutdown = true;
        return shutdownOutput(promise);
    }
}
