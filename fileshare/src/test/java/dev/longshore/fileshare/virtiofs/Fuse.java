package dev.longshore.fileshare.virtiofs;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** Requests and replies of these tests, as bytes. */
final class Fuse {
    static final int IN_HEADER = 40;
    static final int OUT_HEADER = 16;

    static final int FORGET = 2;
    static final int READ = 15;
    static final int FSYNC = 20;

    private Fuse() {}

    static byte[] request(int opcode, long unique, byte... payload) {
        return ByteBuffer.allocate(IN_HEADER + payload.length)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putInt(IN_HEADER + payload.length)
                .putInt(opcode)
                .putLong(unique)
                .putLong(1)
                .putInt(0)
                .putInt(0)
                .putInt(1)
                .putInt(0)
                .put(payload)
                .array();
    }

    /** What the echo answers. */
    static byte[] reply(long unique, byte... payload) {
        return reply(unique, 0, payload);
    }

    static byte[] reply(long unique, int error, byte... payload) {
        return ByteBuffer.allocate(OUT_HEADER + payload.length)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putInt(OUT_HEADER + payload.length)
                .putInt(-error)
                .putLong(unique)
                .put(payload)
                .array();
    }

    static long uniqueOf(byte[] reply) {
        return ByteBuffer.wrap(reply).order(ByteOrder.LITTLE_ENDIAN).getLong(8);
    }
}
