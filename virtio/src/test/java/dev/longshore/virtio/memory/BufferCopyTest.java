package dev.longshore.virtio.memory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.CompositeByteBuf;
import io.netty.buffer.PooledByteBufAllocator;
import io.netty.buffer.Unpooled;
import java.lang.foreign.MemorySegment;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Every kind of Netty buffer, both ways, and no byte outside of it. */
class BufferCopyTest {
    static Stream<ByteBuf> buffers() {
        CompositeByteBuf composite = Unpooled.compositeBuffer();
        composite.addComponent(true, Unpooled.directBuffer(7).writeZero(7));
        composite.addComponent(true, Unpooled.buffer(9).writeZero(9));
        return Stream.of(
                Unpooled.buffer(16).writeZero(16),
                Unpooled.directBuffer(16).writeZero(16),
                PooledByteBufAllocator.DEFAULT.directBuffer(16).writeZero(16),
                PooledByteBufAllocator.DEFAULT.heapBuffer(16, 16).writeZero(16),
                Unpooled.directBuffer(32).writeZero(32).slice(8, 16),
                Unpooled.buffer(32).writeZero(32).slice(8, 16),
                composite);
    }

    private static MemorySegment memory() {
        byte[] bytes = new byte[32];
        for (int i = 0; i < bytes.length; i++) {
            bytes[i] = (byte) (i + 1);
        }
        return MemorySegment.ofArray(bytes);
    }

    @ParameterizedTest
    @MethodSource("buffers")
    void bothWays_copyExactlyTheRange(ByteBuf buffer) {
        MemorySegment memory = memory();
        BufferCopy.toBuffer(memory, 10, buffer, 3, 12);
        for (int i = 0; i < 16; i++) {
            assertThat(buffer.getByte(i)).isEqualTo((byte) (i < 3 || i >= 15 ? 0 : i + 8));
        }

        MemorySegment target = MemorySegment.ofArray(new byte[32]);
        BufferCopy.fromBuffer(buffer, 3, target, 10, 12);
        assertThat(target.mismatch(memory)).isZero();
        assertThat(target.asSlice(10, 12).mismatch(memory.asSlice(10, 12))).isEqualTo(-1);
        assertThat(target.asSlice(22).mismatch(MemorySegment.ofArray(new byte[10])))
                .isEqualTo(-1);
        buffer.release();
    }

    @ParameterizedTest
    @MethodSource("buffers")
    void outsideTheBuffer_isRefused(ByteBuf buffer) {
        int capacity = buffer.capacity();
        assertThatThrownBy(() -> BufferCopy.toBuffer(memory(), 0, buffer, capacity - 1, 2))
                .isInstanceOf(IndexOutOfBoundsException.class);
        assertThatThrownBy(() -> BufferCopy.fromBuffer(buffer, -1, memory(), 0, 2))
                .isInstanceOf(IndexOutOfBoundsException.class);
        assertThatThrownBy(() -> BufferCopy.fromBuffer(buffer, 0, memory(), 0, -1))
                .isInstanceOf(IndexOutOfBoundsException.class);
        buffer.release();
    }

    @Test
    void outsideTheMemory_isRefused() {
        ByteBuf buffer = Unpooled.directBuffer(64).writeZero(64);
        assertThatThrownBy(() -> BufferCopy.toBuffer(memory(), 20, buffer, 0, 13))
                .isInstanceOf(IndexOutOfBoundsException.class);
        assertThatThrownBy(() -> BufferCopy.fromBuffer(buffer, 0, memory(), 20, 13))
                .isInstanceOf(IndexOutOfBoundsException.class);
        buffer.release();
    }
}
