package dev.longshore.engine;

import io.netty.channel.EventLoop;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;

/**
 * An Engine that answers GET by what the test says, and sends the events that the test sends. Every connection is a thread's.
 * Thread-safe.
 */
public final class ScriptedEngine implements AutoCloseable {
    private final FakeGuestEngine guest;
    private final Function<String, String> answers;
    private final List<SocketChannel> open = new ArrayList<>();
    private final List<SocketChannel> streams = new ArrayList<>();

    /** @param answers the JSON for a path, or empty for 404 */
    public ScriptedEngine(EventLoop loop, Path socket, Function<String, String> answers) throws IOException {
        this.guest = new FakeGuestEngine(loop, socket);
        this.answers = answers;
        Thread.ofVirtual().start(this::serve);
    }

    public EngineDialer dialer() {
        return guest;
    }

    private void serve() {
        try {
            while (true) {
                SocketChannel channel = guest.accept();
                Thread.ofVirtual().start(() -> answer(channel));
            }
        } catch (IOException e) {
            // closed
        }
    }

    private void answer(SocketChannel channel) {
        try {
            synchronized (this) {
                if (guest.refuses) {
                    channel.close();
                    return;
                }
                open.add(channel);
            }
            String path = requestPath(channel);
            if (path.startsWith("/events")) {
                synchronized (this) {
                    write(channel, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
                    streams.add(channel);
                }
                return;
            }
            String body = answers.apply(path);
            String status = body.isEmpty() ? "404 Not Found" : "200 OK";
            write(channel, "HTTP/1.1 " + status + "\r\nContent-Length: " + body.length() + "\r\n\r\n" + body);
        } catch (IOException e) {
            // the other side has gone, or the Engine has crashed
        }
    }

    private static String requestPath(SocketChannel channel) throws IOException {
        StringBuilder head = new StringBuilder();
        ByteBuffer one = ByteBuffer.allocate(1);
        while (head.indexOf("\r\n\r\n") < 0) {
            if (channel.read(one.clear()) < 0) {
                throw new IOException("end");
            }
            head.append((char) one.get(0));
        }
        return head.substring(4, head.indexOf(" HTTP/"));
    }

    private static void write(SocketChannel channel, String text) throws IOException {
        ByteBuffer bytes = ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8));
        while (bytes.hasRemaining()) {
            channel.write(bytes);
        }
    }

    /** To every stream that is open. */
    public synchronized void event(String type, String action, String id, String attributes) {
        String json = "{\"Type\":\"" + type + "\",\"Action\":\"" + action + "\",\"Actor\":{\"ID\":\"" + id
                + "\",\"Attributes\":{" + attributes + "}}}\n";
        for (SocketChannel stream : streams) {
            try {
                write(stream, Integer.toHexString(json.length()) + "\r\n" + json + "\r\n");
            } catch (IOException e) {
                // that stream has ended
            }
        }
    }

    /** Every connection ends, and new ones are refused until {@link #comeBack}. */
    public synchronized void crash() throws IOException {
        guest.refuses = true;
        for (SocketChannel channel : open) {
            channel.close();
        }
        open.clear();
        streams.clear();
    }

    public void comeBack() {
        guest.refuses = false;
    }

    @Override
    public void close() throws IOException {
        crash();
        guest.close();
    }
}
