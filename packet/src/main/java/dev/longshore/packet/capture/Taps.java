package dev.longshore.packet.capture;

import dev.longshore.packet.link.FrameTap;
import dev.longshore.packet.link.OutFrame;
import io.netty.buffer.ByteBuf;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Several taps as one. Confined to the link's event loop. */
public final class Taps implements FrameTap {
    private final FrameTap[] taps;

    private Taps(List<? extends FrameTap> taps) {
        this.taps = taps.toArray(FrameTap[]::new);
    }

    /** Null for none, the tap itself for one. */
    public static @Nullable FrameTap of(List<? extends FrameTap> taps) {
        return switch (taps.size()) {
            case 0 -> null;
            case 1 -> taps.getFirst();
            default -> new Taps(taps);
        };
    }

    @Override
    public void fromGuest(ByteBuf frame) {
        for (FrameTap tap : taps) {
            tap.fromGuest(frame);
        }
    }

    @Override
    public void toGuest(OutFrame frame) {
        for (FrameTap tap : taps) {
            tap.toGuest(frame);
        }
    }
}
