package dev.longshore.it;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;

/**
 * The bytes that belong to a seed, and their SHA-256: what arrives can be checked without being kept. {@code peer.c} has
 * the same generator.
 *
 * @param seed not 0
 */
record RandomData(long seed, long bytes) {
    private static final int PIECE = 64 * 1024;

    void writeTo(OutputStream out) throws IOException {
        long x = seed;
        byte[] piece = new byte[PIECE];
        ByteBuffer longs = ByteBuffer.wrap(piece).order(ByteOrder.LITTLE_ENDIAN);
        for (long left = bytes; left > 0; left -= PIECE) {
            for (int i = 0; i < PIECE; i += 8) {
                x ^= x << 13; // xorshift64 of Marsaglia
                x ^= x >>> 7;
                x ^= x << 17;
                longs.putLong(i, x);
            }
            out.write(piece, 0, (int) Math.min(PIECE, left));
        }
        out.flush();
    }

    /** Reads {@code in} to its end: "same", or where and how it is not what it should be. */
    String compare(InputStream in) throws IOException {
        long[] checked = new long[1];
        try {
            writeTo(new OutputStream() {
                @Override
                public void write(int b) throws IOException {
                    write(new byte[] {(byte) b}, 0, 1);
                }

                @Override
                public void write(byte[] expected, int from, int length) throws IOException {
                    byte[] got = in.readNBytes(length);
                    int at = Arrays.mismatch(expected, from, from + length, got, 0, got.length);
                    if (at >= 0) {
                        throw new IOException((at == got.length ? "ends at " : "differs at ") + (checked[0] + at));
                    }
                    checked[0] += length;
                }
            });
        } catch (IOException e) {
            return e + ", of " + bytes;
        }
        return in.read() < 0 ? "same" : "goes on after " + bytes;
    }

    /** In lower-case hexadecimal digits, as sha256sum prints it. */
    String sha256() {
        MessageDigest digest = newDigest();
        try (OutputStream out = new java.security.DigestOutputStream(OutputStream.nullOutputStream(), digest)) {
            writeTo(out);
        } catch (IOException e) {
            throw new AssertionError(e);
        }
        return HexFormat.of().formatHex(digest.digest());
    }

    /** Of everything up to the end of {@code in}. */
    static String sha256(InputStream in) throws IOException {
        MessageDigest digest = newDigest();
        byte[] piece = new byte[PIECE];
        for (int n = in.read(piece); n >= 0; n = in.read(piece)) {
            digest.update(piece, 0, n);
        }
        return HexFormat.of().formatHex(digest.digest());
    }

    private static MessageDigest newDigest() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError(e);
        }
    }
}
