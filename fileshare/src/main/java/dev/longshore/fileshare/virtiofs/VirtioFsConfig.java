package dev.longshore.fileshare.virtiofs;

import io.netty.buffer.ByteBuf;
import java.nio.charset.StandardCharsets;

/**
 * What the guest's device shall be. Immutable.
 *
 * @param tag by which the guest mounts it: {@code mount -t virtiofs TAG DIR}. 1 to 36 bytes of UTF-8
 * @param offersConfig whether the front end takes the tag from us (UML) or has its own (QEMU, which crashes on the offer)
 * @param requestQueues 1..{@link #MAX_REQUEST_QUEUES}
 */
public record VirtioFsConfig(String tag, boolean offersConfig, int requestQueues) {
    /** Linux spreads requests over them by processor, since 6.11. */
    public static final int MAX_REQUEST_QUEUES = 64;

    /** tag[36] of struct virtio_fs_config: virtio 1.2, 5.11.4. */
    private static final int TAG_BYTES = 36;

    public VirtioFsConfig {
        int bytes = tag.getBytes(StandardCharsets.UTF_8).length;
        if (bytes == 0 || bytes > TAG_BYTES) {
            throw new IllegalArgumentException("tag of " + bytes + " bytes");
        }
        if (requestQueues < 1 || requestQueues > MAX_REQUEST_QUEUES) {
            throw new IllegalArgumentException("requestQueues " + requestQueues);
        }
    }

    void write(ByteBuf dst) {
        byte[] name = tag.getBytes(StandardCharsets.UTF_8);
        dst.writeBytes(name).writeZero(TAG_BYTES - name.length);
        dst.writeIntLE(requestQueues);
    }
}
