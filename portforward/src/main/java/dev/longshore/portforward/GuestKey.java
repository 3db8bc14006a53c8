package dev.longshore.portforward;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.util.HexFormat;
import org.jspecify.annotations.Nullable;

/**
 * What shows that a request over vsock comes from the guest's own agent or docker-proxy: 128 random bits, new with every guest,
 * which the daemon tells the agent and the agent keeps in a file for root alone. A container that may open AF_VSOCK sockets
 * has not seen them. Immutable.
 */
public final class GuestKey {
    private static final int BYTES = 16;
    private static final String PREFIX = "KEY ";

    private final String hex;

    private GuestKey(String hex) {
        this.hex = hex;
    }

    public static GuestKey random() {
        byte[] bytes = new byte[BYTES];
        new SecureRandom().nextBytes(bytes);
        return new GuestKey(HexFormat.of().formatHex(bytes));
    }

    /** The key itself, 32 hexadecimal digits: for the agent only. */
    public String hex() {
        return hex;
    }

    /** What every request line begins with. */
    String prefix() {
        return PREFIX + hex + ' ';
    }

    /** The request behind the key, or null if {@code line} does not begin with it. Takes as long for any wrong key. */
    public @Nullable String unlock(String line) {
        byte[] expected = prefix().getBytes(StandardCharsets.ISO_8859_1);
        String start = line.substring(0, Math.min(line.length(), expected.length));
        return MessageDigest.isEqual(expected, start.getBytes(StandardCharsets.ISO_8859_1))
                ? line.substring(expected.length)
                : null;
    }

    /** Without the key: it belongs in no log. */
    @Override
    public String toString() {
        return "GuestKey";
    }
}
