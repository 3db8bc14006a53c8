package dev.longshore.proxy.auth;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * MD4 (RFC 1320), which the JDK lacks and NTLM needs for a password's hash. Broken as a digest; used for nothing else. No state.
 */
final class Md4 {
    private static final int BLOCK = 64;
    private static final int[] SHIFTS = {3, 7, 11, 19, 3, 5, 9, 13, 3, 9, 11, 15};

    /** Which word each step of the rounds takes: §3.4. */
    private static final int[] ORDER = {
        0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, //
        0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15, //
        0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15
    };

    static byte[] digest(byte[] message) {
        int padded = (message.length + 8) / BLOCK * BLOCK + BLOCK;
        ByteBuffer in = ByteBuffer.allocate(padded).order(ByteOrder.LITTLE_ENDIAN);
        in.put(message).put((byte) 0x80).putLong(padded - 8, 8L * message.length);
        int[] state = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
        for (int at = 0; at < padded; at += BLOCK) {
            block(in, at, state);
        }
        ByteBuffer out = ByteBuffer.allocate(16).order(ByteOrder.LITTLE_ENDIAN);
        for (int word : state) {
            out.putInt(word);
        }
        return out.array();
    }

    private static void block(ByteBuffer in, int at, int[] state) {
        int a = state[0];
        int b = state[1];
        int c = state[2];
        int d = state[3];
        for (int step = 0; step < 48; step++) {
            int round = step / 16;
            int mixed = mix(round, b, c, d);
            int sum = a + mixed + in.getInt(at + 4 * ORDER[step]);
            a = d;
            d = c;
            c = b;
            b = Integer.rotateLeft(sum, SHIFTS[4 * round + step % 4]);
        }
        state[0] += a;
        state[1] += b;
        state[2] += c;
        state[3] += d;
    }

    private static int mix(int round, int x, int y, int z) {
        return switch (round) {
            case 0 -> (x & y) | (~x & z);
            case 1 -> ((x & y) | (x & z) | (y & z)) + 0x5a827999;
            default -> (x ^ y ^ z) + 0x6ed9eba1;
        };
    }

    private Md4() {}
}
