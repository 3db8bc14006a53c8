package dev.longshore.proxy.pac;

import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;

/**
 * What goes between the daemon and the JVM that runs a script. To it: {@code int budget} in milliseconds and the script, then for each
 * call {@code int id, int budget}, URL and host. Back: {@code int id, boolean good} and a text; 0 is the script itself. A text is
 * {@code int bytes} and as many of UTF-8.
 */
final class Wire {
    /** What is taken for a script, and more than a call or an answer has. */
    static final int MAX_TEXT = 4 << 20;

    private Wire() {}

    static void write(DataOutputStream out, String text) throws IOException {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        out.writeInt(bytes.length);
        out.write(bytes);
    }

    /** A length out of range is an IOException: the other side is not ours any more. */
    static String read(DataInputStream in) throws IOException {
        int length = in.readInt();
        if (length < 0 || length > MAX_TEXT) {
            throw new IOException("a text of " + length + " bytes");
        }
        byte[] bytes = in.readNBytes(length);
        if (bytes.length < length) {
            throw new IOException("the end in the middle of a text");
        }
        return new String(bytes, StandardCharsets.UTF_8);
    }
}
