package dev.longshore.virtio.vsock;

import io.netty.buffer.ByteBuf;

/** Where packets for the guest go: one at a time, written in place. Confined to the device's event loop. */
public interface PacketsToGuest {
    /**
     * Payload bytes the next packet may have, 0 included, or -1 if the guest offers no buffer now: then
     * {@link VsockHost#onRoom} is called when it does. Asking again without {@link #commit} gives the same answer.
     */
    int room();

    /** Begins a packet, for which there is room: {@code header} is {@link VsockHeader#BYTES} from index 0, copied. */
    void begin(ByteBuf header);

    /** Appends payload: {@code len} bytes of {@code b} at {@code at}, copied before this returns. */
    void append(ByteBuf b, int at, int len);

    /** Sends the packet: as many bytes of payload as its header says were appended. */
    void commit();

    /** Tells the guest about all packets committed so far, with at most one notification. */
    void flush();
}
