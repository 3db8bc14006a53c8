package dev.longshore.bench;

import java.io.BufferedInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;

/** One connection to a Docker API. One thread. */
final class ApiClient implements AutoCloseable {
    private final SocketChannel channel;
    private final InputStream in;
    private final OutputStream out;

    ApiClient(Path socket) throws IOException {
        channel = SocketChannel.open(UnixDomainSocketAddress.of(socket));
        in = new BufferedInputStream(Channels.newInputStream(channel), 64 * 1024);
        out = Channels.newOutputStream(channel);
    }

    /** A head up to and with its empty line; "" at the end of the stream. */
    static String head(InputStream in) throws IOException {
        StringBuilder text = new StringBuilder();
        while (true) {
            int c = in.read();
            if (c < 0) {
                return "";
            }
            text.append((char) c);
            int n = text.length();
            if (c == '\n' && n >= 4 && text.charAt(n - 2) == '\r' && text.charAt(n - 3) == '\n') {
                return text.toString();
            }
        }
    }

    /** Of the body; 0 if the head says nothing. */
    static long length(String head) {
        String lower = head.toLowerCase(Locale.ROOT);
        int at = lower.indexOf("content-length:");
        return at < 0
                ? 0
                : Long.parseLong(
                        lower.substring(at + 15, lower.indexOf('\r', at)).strip());
    }

    private static boolean isChunked(String head) {
        return head.toLowerCase(Locale.ROOT).contains("transfer-encoding: chunked");
    }

    /** A request without a body; its answer is read to the end. Returns the bytes of the answer's body. */
    long get(String path) throws IOException {
        out.write(("GET " + path + " HTTP/1.1\r\nHost: docker\r\nUser-Agent: bench\r\n\r\n")
                .getBytes(StandardCharsets.US_ASCII));
        return answer();
    }

    /** A request with a body of zeros. */
    void post(String path, long bytes) throws IOException {
        out.write(("POST " + path + " HTTP/1.1\r\nHost: docker\r\nContent-Length: " + bytes + "\r\n\r\n")
                .getBytes(StandardCharsets.US_ASCII));
        byte[] block = new byte[64 * 1024];
        for (long left = bytes; left > 0; left -= block.length) {
            out.write(block, 0, (int) Math.min(left, block.length));
        }
        answer();
    }

    private long answer() throws IOException {
        String head = head(in);
        if (!head.startsWith("HTTP/1.1 200 ")) {
            throw new IOException("answered by " + head.lines().findFirst().orElse("nothing"));
        }
        if (!isChunked(head)) {
            in.skipNBytes(length(head));
            return length(head);
        }
        long all = 0;
        while (true) {
            int size = Integer.parseInt(line(), 16);
            in.skipNBytes(size);
            line();
            if (size == 0) {
                return all;
            }
            all += size;
        }
    }

    private String line() throws IOException {
        StringBuilder text = new StringBuilder();
        for (int c = in.read(); c != '\n'; c = in.read()) {
            if (c < 0) {
                throw new EOFException();
            }
            if (c != '\r') {
                text.append((char) c);
            }
        }
        return text.toString();
    }

    /** Microseconds for each of {@code count} requests on this connection, in ascending order. */
    double[] times(String path, int count) throws IOException {
        double[] times = new double[count];
        for (int i = 0; i < count; i++) {
            long begin = System.nanoTime();
            get(path);
            times[i] = (System.nanoTime() - begin) / 1e3;
        }
        Arrays.sort(times);
        return times;
    }

    @Override
    public void close() throws IOException {
        channel.close();
    }
}
