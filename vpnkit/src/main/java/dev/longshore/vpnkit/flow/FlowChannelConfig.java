package dev.longshore.vpnkit.flow;

import io.netty.channel.Channel;
import io.netty.channel.ChannelOption;
import io.netty.channel.DefaultChannelConfig;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Options of a {@link FlowChannel}: SO_LINGER as for a socket; ALLOW_HALF_CLOSURE and TCP_NODELAY, which are always on. */
final class FlowChannelConfig extends DefaultChannelConfig {
    private volatile int soLinger = -1; // set from any thread, like every option

    FlowChannelConfig(Channel channel) {
        super(channel);
    }

    boolean resetsOnClose() {
        return soLinger == 0;
    }

    @Override
    public Map<ChannelOption<?>, Object> getOptions() {
        return getOptions(
                super.getOptions(),
                ChannelOption.SO_LINGER,
                ChannelOption.ALLOW_HALF_CLOSURE,
                ChannelOption.TCP_NODELAY);
    }

    @Override
    @SuppressWarnings("unchecked") // each option fixes T
    public <T> @Nullable T getOption(ChannelOption<T> option) {
        if (option.equals(ChannelOption.SO_LINGER)) {
            return (T) Integer.valueOf(soLinger);
        }
        if (option.equals(ChannelOption.ALLOW_HALF_CLOSURE) || option.equals(ChannelOption.TCP_NODELAY)) {
            return (T) Boolean.TRUE;
        }
        return super.getOption(option);
    }

    @Override
    public <T> boolean setOption(ChannelOption<T> option, T value) {
        if (option.equals(ChannelOption.SO_LINGER)) {
            validate(option, value);
            soLinger = (Integer) value;
            return true;
        }
        if (option.equals(ChannelOption.ALLOW_HALF_CLOSURE) || option.equals(ChannelOption.TCP_NODELAY)) {
            return true;
        }
        return super.setOption(option, value);
    }
}
