package dev.longshore.vpnkit.hostsocket;

import io.netty.buffer.ByteBufAllocator;
import io.netty.channel.AdaptiveRecvByteBufAllocator;
import io.netty.channel.ChannelOption;
import io.netty.channel.DefaultChannelConfig;
import io.netty.channel.MessageSizeEstimator;
import io.netty.channel.RecvByteBufAllocator;
import io.netty.channel.WriteBufferWaterMark;
import io.netty.channel.socket.DuplexChannelConfig;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Options of a {@link HostSocket}: Netty's own; half-closure and TCP_NODELAY, which are always on; SO_LINGER, of which only 0
 * (RST on close) differs from the default; SO_KEEPALIVE, which comes by itself to a connection that lasts. Reading starts when
 * somebody asks for it: auto-read is off. Thread-safe as Netty's are: each option is one volatile field.
 */
final class HostSocketConfig extends DefaultChannelConfig implements DuplexChannelConfig {
    private static final RecvByteBufAllocator RECEIVE = new AdaptiveRecvByteBufAllocator(2048, 16 << 10, 256 << 10);

    /** Half of what a flow buffers for the host at most, so that its window reopens before the socket runs dry. */
    private static final WriteBufferWaterMark WATER_MARKS = new WriteBufferWaterMark(128 << 10, 512 << 10);

    private final HostSocket socket;
    private volatile int soLinger = -1;

    HostSocketConfig(HostSocket socket) {
        super(socket, RECEIVE);
        this.socket = socket;
        super.setAutoRead(false);
        super.setWriteBufferWaterMark(WATER_MARKS);
    }

    boolean resetsOnClose() {
        return soLinger == 0;
    }

    @Override
    public Map<ChannelOption<?>, Object> getOptions() {
        return getOptions(
                super.getOptions(),
                ChannelOption.ALLOW_HALF_CLOSURE,
                ChannelOption.TCP_NODELAY,
                ChannelOption.SO_LINGER,
                ChannelOption.SO_KEEPALIVE);
    }

    @Override
    @SuppressWarnings("unchecked") // each option fixes T
    public <T> @Nullable T getOption(ChannelOption<T> option) {
        if (isAlwaysOn(option)) {
            return (T) Boolean.TRUE;
        }
        if (option.equals(ChannelOption.SO_LINGER)) {
            return (T) Integer.valueOf(soLinger);
        }
        return super.getOption(option);
    }

    @Override
    public <T> boolean setOption(ChannelOption<T> option, T value) {
        if (isAlwaysOn(option)) {
            return Boolean.TRUE.equals(value);
        }
        if (option.equals(ChannelOption.SO_LINGER)) {
            soLinger = (Integer) value;
            return true;
        }
        return super.setOption(option, value);
    }

    private static boolean isAlwaysOn(ChannelOption<?> option) {
        return option.equals(ChannelOption.ALLOW_HALF_CLOSURE)
                || option.equals(ChannelOption.TCP_NODELAY)
                || option.equals(ChannelOption.SO_KEEPALIVE);
    }

    @Override
    protected void autoReadCleared() {
        socket.onAutoReadCleared();
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
}
