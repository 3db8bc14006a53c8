package dev.longshore.cli.diagnose;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** {@code GET /_ping} on a Docker socket. */
final class EnginePing {
    private static final String REQUEST = "GET /_ping HTTP/1.1\r\nHost: longshore\r\nConnection: close\r\n\r\n";

    private EnginePing() {}

    /** The first line of the answer; throws with the reason if there is none within so many seconds. */
    static String statusLine(Path socket, long seconds) throws IOException, InterruptedException {
        try (SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX)) {
            FutureTask<String> task = new FutureTask<>(() -> ask(channel, socket));
            Thread thread = new Thread(task, "ping");
            thread.setDaemon(true);
            thread.start();
            return task.get(seconds, TimeUnit.SECONDS);
        } catch (TimeoutException e) {
            throw new IOException("no answer within " + seconds + " s", e);
        } catch (ExecutionException e) {
            throw e.getCause() instanceof IOException io ? io : new IOException(e.getCause());
        }
    }

    private static String ask(SocketChannel channel, Path socket) throws IOException {
        channel.connect(UnixDomainSocketAddress.of(socket));
        OutputStream out = Channels.newOutputStream(channel);
        out.write(REQUEST.getBytes(StandardCharsets.US_ASCII));
        InputStream in = Channels.newInputStream(channel);
        String answer = new String(in.readAllBytes(), StandardCharsets.US_ASCII);
        return answer.lines().findFirst().orElse("");
    }
}
