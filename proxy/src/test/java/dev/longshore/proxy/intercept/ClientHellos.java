package dev.longshore.proxy.intercept;

import java.nio.ByteBuffer;
import java.security.NoSuchAlgorithmException;
import java.util.List;
import javax.net.ssl.SNIHostName;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLParameters;
import org.jspecify.annotations.Nullable;

/** What the JDK's TLS client says first. */
final class ClientHellos {
    /** One record, with {@code name} as SNI or none. */
    static byte[] of(@Nullable String name) {
        try {
            SSLEngine engine = SSLContext.getDefault().createSSLEngine();
            engine.setUseClientMode(true);
            SSLParameters parameters = engine.getSSLParameters();
            parameters.setServerNames(name == null ? List.of() : List.of(new SNIHostName(name)));
            engine.setSSLParameters(parameters);
            ByteBuffer out = ByteBuffer.allocate(32 * 1024);
            engine.wrap(ByteBuffer.allocate(0), out);
            byte[] hello = new byte[out.flip().remaining()];
            out.get(hello);
            return hello;
        } catch (NoSuchAlgorithmException | SSLException e) {
            throw new AssertionError(e);
        }
    }

    /** The same handshake message in records of {@code size} bytes. */
    static byte[] inRecordsOf(int size, byte[] oneRecord) {
        int length = oneRecord.length - 5;
        ByteBuffer out = ByteBuffer.allocate(length + 5 * (length / size + 1));
        for (int at = 0; at < length; at += size) {
            int part = Math.min(size, length - at);
            out.put(oneRecord, 0, 3).putShort((short) part).put(oneRecord, 5 + at, part);
        }
        byte[] all = new byte[out.flip().remaining()];
        out.get(all);
        return all;
    }

    /**
     * The same with an extension more, before all others.
     *
     * @param oneRecord as of {@link #of}
     */
    static byte[] withExtension(int type, byte[] value, byte[] oneRecord) {
        ByteBuffer in = ByteBuffer.wrap(oneRecord);
        int at = 5 + 4 + 2 + 32; // record, handshake, version, random
        at += 1 + in.get(at); // session id
        at += 2 + in.getShort(at); // cipher suites
        at += 1 + in.get(at); // compression methods
        int more = 4 + value.length;
        ByteBuffer out = ByteBuffer.allocate(oneRecord.length + more);
        out.put(oneRecord, 0, at).putShort((short) (in.getShort(at) + more));
        out.putShort((short) type).putShort((short) value.length).put(value);
        out.put(oneRecord, at + 2, oneRecord.length - at - 2);
        out.putShort(3, (short) (in.getShort(3) + more)).putShort(7, (short) (in.getShort(7) + more));
        return out.array();
    }

    private ClientHellos() {}
}
