package dev.longshore.testkit;

import dev.longshore.packet.wire.TcpOptions;
import io.netty.buffer.ByteBuf;
import java.util.ArrayList;
import java.util.List;

/**
 * The options of a segment, to be sent or as received. Immutable.
 *
 * @param mss or -1
 * @param windowScale or -1
 * @param timestamps whether {@code tsVal} and {@code tsEcr} are there
 */
public record TcpGuestOptions(
        int mss, int windowScale, boolean sackPermitted, boolean timestamps, int tsVal, int tsEcr, List<Block> sack) {
    public static final TcpGuestOptions NONE = new TcpGuestOptions(-1, -1, false, false, 0, 0, List.of());

    /** One SACK block, from its left edge to the byte after it. Immutable. */
    public record Block(int left, int right) {}

    public TcpGuestOptions withMss(int value) {
        return new TcpGuestOptions(value, windowScale, sackPermitted, timestamps, tsVal, tsEcr, sack);
    }

    public TcpGuestOptions withWindowScale(int shift) {
        return new TcpGuestOptions(mss, shift, sackPermitted, timestamps, tsVal, tsEcr, sack);
    }

    public TcpGuestOptions withSackPermitted() {
        return new TcpGuestOptions(mss, windowScale, true, timestamps, tsVal, tsEcr, sack);
    }

    public TcpGuestOptions withTimestamps(int value, int echo) {
        return new TcpGuestOptions(mss, windowScale, sackPermitted, true, value, echo, sack);
    }

    public TcpGuestOptions withSack(List<Block> blocks) {
        return new TcpGuestOptions(mss, windowScale, sackPermitted, timestamps, tsVal, tsEcr, List.copyOf(blocks));
    }

    /** The options of the header at {@code at}. */
    static TcpGuestOptions of(ByteBuf b, int at) {
        int ts = TcpOptions.timestampsIndex(b, at);
        int first = TcpOptions.sackIndex(b, at);
        List<Block> blocks = new ArrayList<>();
        for (int i = 0; i < TcpOptions.sackBlocks(b, at); i++) {
            blocks.add(new Block(b.getInt(first + 8 * i), b.getInt(first + 8 * i + 4)));
        }
        return new TcpGuestOptions(
                TcpOptions.mss(b, at),
                TcpOptions.windowScale(b, at),
                TcpOptions.sackPermitted(b, at),
                ts >= 0,
                ts >= 0 ? b.getInt(ts) : 0,
                ts >= 0 ? b.getInt(ts + 4) : 0,
                List.copyOf(blocks));
    }

    void writeTo(ByteBuf b) {
        if (mss >= 0) {
            TcpOptions.writeMss(b, mss);
        }
        if (sackPermitted) {
            TcpOptions.writeSackPermitted(b);
        }
        if (timestamps) {
            TcpOptions.writeTimestamps(b, tsVal, tsEcr);
        }
        if (windowScale >= 0) {
            TcpOptions.writeWindowScale(b, windowScale);
        }
        if (!sack.isEmpty()) {
            TcpOptions.writeSackHead(b, sack.size());
            for (Block block : sack) {
                b.writeInt(block.left).writeInt(block.right);
            }
        }
    }
}
