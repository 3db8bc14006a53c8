package dev.longshore.virtio.vsock;

import io.netty.buffer.ByteBufAllocator;
import io.netty.channel.ChannelConfig;
import io.netty.channel.ChannelOption;
import io.netty.channel.DefaultChannelConfig;
import io.netty.channel.MessageSizeEstimator;
import io.netty.channel.RecvByteBufAllocator;
import io.netty.channel.WriteBufferWaterMark;
import io.netty.channel.socket.DuplexChannelConfig;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Options of a {@link VsockChannel}: Netty's own, half-closure which is always allowed, and SO_LINGER, of which only 0 (RST
 * on close) differs from the default. Thread-safe as Netty's are: each option is one volatile field.
 */
final class VsockChannelConfig extends DefaultChannelConfig implements DuplexChannelConfig {
    private final VsockChannel vsock;
    private volatile int soLinger = -1;

    VsockChannelConfig(VsockChannel channel) {
        super(channel);
        vsock = channel;
    }

    boolean resetOnClose() {
        return soLinger == 0;
    }

    @Override
    public Map<ChannelOption<?>, Object> getOptions() {
        return getOptions(super.getOptions(), ChannelOption.ALLOW_HALF_CLOSURE, ChannelOption.SO_LINGER);
    }

    @Override
    @SuppressWarnings("unchecked") // the option's own type, as in every ChannelConfig
    public <T> @Nullable T getOption(ChannelOption<T> option) {
        if (option.equals(ChannelOption.ALLOW_HALF_CLOSURE)) {
            return (T) Boolean.TRUE;
        }
        if (option.equals(ChannelOption.SO_LINGER)) {
            return (T) Integer.valueOf(soLinger);
        }
        return super.getOption(option);
    }

    @Override
    public <T> boolean setOption(ChannelOption<T> option, T value) {
        if (option.equals(ChannelOption.ALLOW_HALF_CLOSURE)) {
            return Boolean.TRUE.equals(value);
        }
        if (option.equals(ChannelOption.SO_LINGER)) {
            soLinger = (Integer) value;
            return true;
        }
        return super.setOption(option, value);
    }

    @Override
    protected void autoReadCleared() {
        vsock.onAutoReadCleared();
    }

    @Override
    public boolean isAllowHalfClosure() {
        return true;
    }

    /** Half-closure can't be turned off. */
    @Override
    public DuplexChannelConfig setAllowHalfClosure(boolean allowed) {
        if (!allowed) {
            throw new IllegalArgumentException("half-closure is always allowed");
        }
        return this;
    }

    @Override
    @Deprecated
    public DuplexChannelConfig setMaxMessagesPerRead(int n) {
        super.setMaxMessagesPerRead(n);
        return this;
    }

    @Override
    public DuplexChannelConfig setWriteSpinCount(int n) {
        super.setWriteSpinCount(n);
        return this;
    }

    @Override
    public DuplexChannelConfig setAllocator(ByteBufAllocator allocator) {
        super.setAllocator(allocator);
        return this;
    }

    @Override
    public DuplexChannelConfig setRecvByteBufAllocator(RecvByteBufAllocator allocator) {
        super.setRecvByteBufAllocator(allocator);
        return this;
    }

    @Override
    public DuplexChannelConfig setAutoRead(boolean autoRead) {
        super.setAutoRead(autoRead);
        return this;
    }

    @Override
    public DuplexChannelConfig setAutoClose(boolean autoClose) {
        super.setAutoClose(autoClose);
        return this;
    }

    @Override
    public DuplexChannelConfig setMessageSizeEstimator(MessageSizeEstimator estimator) {
        super.setMessageSizeEstimator(estimator);
        return this;
    }

    @Override
    public DuplexChannelConfig setWriteBufferWaterMark(WriteBufferWaterMark mark) {
        super.setWriteBufferWaterMark(mark);
        return this;
    }

    @Override
    public ChannelConfig setConnectTimeoutMillis(int millis) {
        super.setConnectTimeoutMillis(millis);
        return this;
    }
}
