package dev.longshore.proxy.auth;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The three messages of NTLM, version 2 of its responses only: MS-NLMP. No state.
 *
 * <pre>
 *   us                                    the proxy
 *   NEGOTIATE_MESSAGE   §2.2.1.1    ──►
 *                                   ◄──   CHALLENGE_MESSAGE   §2.2.1.2
 *   AUTHENTICATE_MESSAGE §2.2.1.3   ──►
 * </pre>
 */
final class Ntlm {
    /** A message is at most this long; so is what a guest's or proxy's token may make us keep. */
    private static final int MAX_MESSAGE = 64 * 1024;

    private static final byte[] SIGNATURE = "NTLMSSP\0".getBytes(StandardCharsets.US_ASCII);
    private static final int MIC_AT = 72;
    private static final int AUTHENTICATE_HEADER = 88;

    // NEGOTIATE flags, §2.2.2.5
    private static final int UNICODE = 0x1;
    private static final int REQUEST_TARGET = 0x4;
    private static final int NTLM = 0x200;
    private static final int ALWAYS_SIGN = 0x8000;
    private static final int EXTENDED_SESSIONSECURITY = 0x80000;
    private static final int TARGET_INFO = 0x800000;
    private static final int VERSION = 0x2000000;
    private static final int KEY_128 = 0x20000000;
    private static final int KEY_56 = 0x80000000;
    private static final int OURS = UNICODE
            | REQUEST_TARGET
            | NTLM
            | ALWAYS_SIGN
            | EXTENDED_SESSIONSECURITY
            | TARGET_INFO
            | VERSION
            | KEY_128
            | KEY_56;

    // AV_PAIR ids, §2.2.2.1
    private static final int AV_EOL = 0;
    private static final int AV_NB_DOMAIN_NAME = 2;
    private static final int AV_FLAGS = 6;
    private static final int AV_TIMESTAMP = 7;
    private static final int AV_TARGET_NAME = 9;
    private static final int AV_CHANNEL_BINDINGS = 10;
    private static final int AV_FLAG_MIC = 0x2;

    /** §2.2.2.10: 6.1, build 7601, revision 15, which is the only revision there is. */
    private static final byte[] OUR_VERSION = {6, 1, (byte) 0xb1, 0x1d, 0, 0, 0, 15};

    /** What the proxy asks. Immutable to us. */
    static final class Question {
        private final int flags;
        private final byte[] server; // its challenge, 8 bytes
        private final Map<Integer, byte[]> info; // its AV pairs without the end
        private final byte[] message;

        private Question(int flags, byte[] server, Map<Integer, byte[]> info, byte[] message) {
            this.flags = flags;
            this.server = server;
            this.info = info;
            this.message = message;
        }
    }

    /**
     * Who answers. Immutable; never printed.
     *
     * @param domain empty for the proxy's own
     */
    record Account(String user, String domain, String password) {
        @Override
        public String toString() {
            return "xxxxx";
        }

        /** DOMAIN\\user; user@domain goes as it is, for the server to take apart (§2.2.1.3, UserName). */
        static Account of(String user, String password) {
            int slash = user.indexOf('\\');
            return slash < 0
                    ? new Account(user, "", password)
                    : new Account(user.substring(slash + 1), user.substring(0, slash), password);
        }
    }

    static byte[] negotiate() {
        ByteBuffer out = ByteBuffer.allocate(40).order(ByteOrder.LITTLE_ENDIAN);
        out.put(SIGNATURE).putInt(1).putInt(OURS);
        out.putLong(0).putLong(0); // no domain, no workstation
        return out.put(OUR_VERSION).array();
    }

    static Question question(byte[] message) throws AuthFailure {
        if (message.length < 48 || message.length > MAX_MESSAGE || !Arrays.equals(message, 0, 8, SIGNATURE, 0, 8)) {
            throw new AuthFailure("the proxy's NTLM challenge is malformed");
        }
        ByteBuffer in = ByteBuffer.wrap(message).order(ByteOrder.LITTLE_ENDIAN);
        int flags = in.getInt(20);
        if (in.getInt(8) != 2 || (flags & UNICODE) == 0 || (flags & NTLM) == 0) {
            throw new AuthFailure("the proxy's NTLM challenge is not one of this age");
        }
        byte[] info = field(message, 40);
        if ((flags & TARGET_INFO) == 0 || info.length == 0) {
            throw new AuthFailure("the proxy speaks version 1 of NTLM only, which gives passwords away");
        }
        return new Question(flags, Arrays.copyOfRange(message, 24, 32), pairs(info), message);
    }

    /** A length, an unused one, and an offset, §2.2.1. */
    private static byte[] field(byte[] message, int at) throws AuthFailure {
        ByteBuffer in = le(message);
        int length = in.getShort(at) & 0xFFFF;
        int offset = in.getInt(at + 4);
        if (offset < 0 || length > message.length - offset) {
            throw new AuthFailure("the proxy's NTLM challenge is cut off");
        }
        return Arrays.copyOfRange(message, offset, offset + length);
    }

    private static Map<Integer, byte[]> pairs(byte[] info) throws AuthFailure {
        Map<Integer, byte[]> pairs = new LinkedHashMap<>();
        ByteBuffer in = ByteBuffer.wrap(info).order(ByteOrder.LITTLE_ENDIAN);
        while (in.remaining() >= 4) {
            int id = in.getShort() & 0xFFFF;
            int length = in.getShort() & 0xFFFF;
            if (id == AV_EOL) {
                return pairs;
            }
            if (length > in.remaining()) {
                break;
            }
            byte[] value = new byte[length];
            in.get(value);
            pairs.putIfAbsent(id, value);
        }
        throw new AuthFailure("the proxy's NTLM challenge has no end");
    }

    /**
     * The answer. With a time stamp in the question comes a MIC over all three messages, as §3.1.5.1.2 wants it.
     *
     * @param spn of the proxy, as {@code HTTP/name}
     * @param binding of the TLS channel: the hash of its {@code gss_channel_bindings_struct}, or 16 zeros
     * @param random 8 bytes, new for each answer
     * @param now in units of 100 ns since 1601, for proxies that do not say
     */
    static byte[] authenticate(
            Question question, Account account, String spn, byte[] binding, byte[] random, long now) {
        Map<Integer, byte[]> info = new LinkedHashMap<>(question.info);
        byte[] stamp = info.get(AV_TIMESTAMP);
        boolean stamped = stamp != null && stamp.length == 8;
        if (stamped) {
            byte[] given = info.get(AV_FLAGS);
            int flags = given != null && given.length == 4 ? le(given).getInt() : 0;
            byte[] flagged = new byte[4];
            le(flagged).putInt(flags | AV_FLAG_MIC);
            info.put(AV_FLAGS, flagged);
        }
        info.put(AV_TARGET_NAME, unicode(spn));
        info.put(AV_CHANNEL_BINDINGS, binding.clone());
        String domain = account.domain;
        byte[] ours = info.get(AV_NB_DOMAIN_NAME);
        if (domain.isEmpty() && account.user.indexOf('@') < 0 && ours != null) {
            domain = new String(ours, StandardCharsets.UTF_16LE);
        }
        byte[] key = responseKey(account.user, domain, account.password);
        long time = stamped && stamp != null ? le(stamp).getLong() : now;
        byte[] proof = response(key, question.server, random, time, encode(info));
        byte[] weak = stamped ? new byte[24] : join(Digests.hmacMd5(key, question.server, random), random);
        byte[] sessionKey = Digests.hmacMd5(key, Arrays.copyOf(proof, 16));
        return message(question, domain, account.user, weak, proof, stamped ? sessionKey : null);
    }

    private static byte[] message(
            Question question, String domain, String user, byte[] lm, byte[] nt, byte @Nullable [] micKey) {
        byte[][] payload = {lm, nt, unicode(domain), unicode(user), new byte[0], new byte[0]};
        int length = AUTHENTICATE_HEADER
                + Arrays.stream(payload).mapToInt(p -> p.length).sum();
        byte[] message = new byte[length];
        ByteBuffer out = le(message);
        out.put(SIGNATURE).putInt(3);
        int at = AUTHENTICATE_HEADER;
        for (byte[] part : payload) {
            out.putShort((short) part.length).putShort((short) part.length).putInt(at);
            out.put(at, part);
            at += part.length;
        }
        out.putInt(question.flags & OURS).put(OUR_VERSION);
        if (micKey != null) {
            out.put(MIC_AT, Digests.hmacMd5(micKey, negotiate(), question.message, message));
        }
        return message;
    }

    /** NTOWFv2, §3.3.2. */
    static byte[] responseKey(String user, String domain, String password) {
        return Digests.hmacMd5(Md4.digest(unicode(password)), unicode(upperCase(user) + domain));
    }

    /** Character by character, as Windows does: no other length. */
    private static String upperCase(String text) {
        StringBuilder upper = new StringBuilder(text.length());
        text.chars().forEach(c -> upper.append(Character.toUpperCase((char) c)));
        return upper.toString();
    }

    /** NTProofStr and what it proves, §3.3.2. */
    static byte[] response(byte[] key, byte[] server, byte[] random, long time, byte[] info) {
        byte[] temp = new byte[28 + info.length + 4];
        ByteBuffer out = le(temp);
        out.put((byte) 1)
                .put((byte) 1)
                .putShort((short) 0)
                .putInt(0)
                .putLong(time)
                .put(random)
                .putInt(0);
        out.put(info).putInt(0);
        return join(Digests.hmacMd5(key, server, temp), temp);
    }

    private static byte[] encode(Map<Integer, byte[]> info) {
        byte[] all = new byte[info.values().stream().mapToInt(v -> 4 + v.length).sum() + 4];
        ByteBuffer out = le(all);
        info.forEach((id, value) ->
                out.putShort(id.shortValue()).putShort((short) value.length).put(value));
        out.putInt(AV_EOL);
        return all;
    }

    private static byte[] unicode(String text) {
        return text.getBytes(StandardCharsets.UTF_16LE);
    }

    private static byte[] join(byte[] a, byte[] b) {
        byte[] both = Arrays.copyOf(a, a.length + b.length);
        System.arraycopy(b, 0, both, a.length, b.length);
        return both;
    }

    private static ByteBuffer le(byte[] bytes) {
        return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    }

    private Ntlm() {}
}
