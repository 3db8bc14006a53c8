package dev.longshore.bench;

import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.Channels;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Locale;

/**
 * Answers as a Docker Engine does, and as fast as it can: {@code /_ping}, {@code /version}, {@code GET /images/BYTES/get} in chunks of
 * 32 KiB as Go makes them, {@code POST /images/load}. A thread for each connection.
 */
final class ScriptedEngine implements AutoCloseable {
    private static final int CHUNK = 32 * 1024;
    private static final byte[] CHUNK_ON_WIRE = chunk();
    private static final String VERSION =
            "{\"Version\":\"scripted\",\"ApiVersion\":\"1.45\",\"MinAPIVersion\":\"1.24\"}";

    private final ServerSocketChannel server;

    ScriptedEngine(Path socket) {
        try {
            server = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
            server.bind(UnixDomainSocketAddress.of(socket));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        Thread.ofPlatform().daemon().start(this::accept);
    }

    private static byte[] chunk() {
        byte[] size = (Integer.toHexString(CHUNK) + "\r\n").getBytes(StandardCharsets.US_ASCII);
        byte[] whole = new byte[size.length + CHUNK + 2];
        System.arraycopy(size, 0, whole, 0, size.length);
        whole[whole.length - 2] = '\r';
        whole[whole.length - 1] = '\n';
        return whole;
    }

    private void accept() {
        try {
            while (true) {
                SocketChannel caller = server.accept();
                Thread.ofPlatform().daemon().start(() -> serve(caller));
            }
        } catch (IOException e) {
            // closed
        }
    }

    private static void serve(SocketChannel caller) {
        try (caller) {
            InputStream in = new BufferedInputStream(Channels.newInputStream(caller), 64 * 1024);
            OutputStream out = Channels.newOutputStream(caller);
            for (String head = ApiClient.head(in); !head.isEmpty(); head = ApiClient.head(in)) {
                in.skipNBytes(ApiClient.length(head));
                answer(head, out);
            }
        } catch (IOException e) {
            // the caller has gone
        }
    }

    private static void answer(String head, OutputStream out) throws IOException {
        String path = head.split(" ", 3)[1];
        if (path.endsWith("/get")) {
            long left = Long.parseLong(path.replaceAll("\\D", ""));
            text(out, "HTTP/1.1 200 OK\r\nContent-Type: application/x-tar\r\nTransfer-Encoding: chunked\r\n\r\n");
            for (; left > 0; left -= CHUNK) {
                out.write(CHUNK_ON_WIRE);
            }
            text(out, "0\r\n\r\n");
        } else {
            String body = path.endsWith("/version") ? VERSION : "OK";
            text(
                    out,
                    String.format(
                            Locale.ROOT,
                            "HTTP/1.1 200 OK\r\nApi-Version: 1.45\r\nBuilder-Version: 2\r\nCache-Control: no-cache\r\n"
                                    + "Content-Length: %d\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n%s",
                            body.length(),
                            body));
        }
    }

    private static void text(OutputStream out, String text) throws IOException {
        out.write(text.getBytes(StandardCharsets.US_ASCII));
    }

    @Override
    public void close() {
        try {
            server.close();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
