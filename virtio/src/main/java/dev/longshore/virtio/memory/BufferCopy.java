package dev.longshore.virtio.memory;

import io.netty.buffer.ByteBuf;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.util.Objects;

/** Copies between guest memory and Netty buffers, without allocation for buffers that have an address or an array. */
public final class BufferCopy {
    private static final MemorySegment PROCESS = MemorySegment.NULL.reinterpret(Long.MAX_VALUE);

    private BufferCopy() {}

    /** Copies {@code bytes} bytes of guest memory to {@code dst} at index {@code to}, within its capacity. */
    public static void toBuffer(MemorySegment src, long from, ByteBuf dst, int to, int bytes) {
        Objects.checkFromIndexSize(to, bytes, dst.capacity());
        if (dst.hasMemoryAddress()) {
            MemorySegment.copy(src, from, PROCESS, dst.memoryAddress() + to, bytes);
        } else if (dst.hasArray()) {
            MemorySegment.copy(src, ValueLayout.JAVA_BYTE, from, dst.array(), dst.arrayOffset() + to, bytes);
        } else {
            dst.setBytes(to, src.asSlice(from, bytes).asByteBuffer());
        }
    }

    /** Copies {@code bytes} bytes of {@code src} at index {@code from}, within its capacity, to guest memory. */
    public static void fromBuffer(ByteBuf src, int from, MemorySegment dst, long to, int bytes) {
        Objects.checkFromIndexSize(from, bytes, src.capacity());
        if (src.hasMemoryAddress()) {
            MemorySegment.copy(PROCESS, src.memoryAddress() + from, dst, to, bytes);
        } else if (src.hasArray()) {
            MemorySegment.copy(src.array(), src.arrayOffset() + from, dst, ValueLayout.JAVA_BYTE, to, bytes);
        } else {
            ByteBuffer window = dst.asSlice(to, bytes).asByteBuffer();
            src.getBytes(from, window);
        }
    }
}
