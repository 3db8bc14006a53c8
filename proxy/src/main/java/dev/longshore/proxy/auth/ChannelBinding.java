package dev.longshore.proxy.auth;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.security.cert.CertificateEncodingException;
import java.security.cert.X509Certificate;
import java.util.Locale;

/**
 * What binds NTLM to the TLS connection it travels in, so that it cannot be relayed into another: {@code tls-server-end-point}
 * (RFC 5929 §4). Immutable.
 */
public final class ChannelBinding {
    /** For connections without TLS. */
    public static final ChannelBinding NONE = new ChannelBinding(new byte[16]);

    private final byte[] md5;

    private ChannelBinding(byte[] md5) {
        this.md5 = md5;
    }

    /** Of a TLS connection to whoever has {@code certificate}. */
    public static ChannelBinding of(X509Certificate certificate) {
        try {
            byte[] hash = MessageDigest.getInstance(digest(certificate.getSigAlgName()))
                    .digest(certificate.getEncoded());
            return of(hash);
        } catch (NoSuchAlgorithmException | CertificateEncodingException e) {
            return NONE;
        }
    }

    /** §4.1: the signature's digest, but SHA-256 in place of MD5 and SHA-1, and where there is none. */
    private static String digest(String signature) {
        String name = signature.toUpperCase(Locale.ROOT);
        return name.startsWith("SHA384") ? "SHA-384" : name.startsWith("SHA512") ? "SHA-512" : "SHA-256";
    }

    /** MD5 over a gss_channel_bindings_struct without addresses: MS-NLMP §2.2.2.1, RFC 4121 §4.1.1.2. */
    static ChannelBinding of(byte[] certificateHash) {
        byte[] prefix = "tls-server-end-point:".getBytes(StandardCharsets.US_ASCII);
        ByteBuffer struct =
                ByteBuffer.allocate(20 + prefix.length + certificateHash.length).order(ByteOrder.LITTLE_ENDIAN);
        struct.position(16);
        struct.putInt(prefix.length + certificateHash.length).put(prefix).put(certificateHash);
        return new ChannelBinding(Digests.digest("MD5", struct.array()));
    }

    /** 16 bytes; zeros without TLS. */
    byte[] hash() {
        return md5.clone();
    }
}
