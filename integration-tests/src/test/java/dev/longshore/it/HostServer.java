package dev.longshore.it;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/** A TCP server on the host's loopback: a thread per connection. Thread-safe. */
final class HostServer implements AutoCloseable {
    /** Serves one connection, which is closed afterwards. */
    interface Service {
        void serve(Socket s) throws Exception;
    }

    private final ServerSocket listener;
    private final Service service;
    private final List<Socket> open = new CopyOnWriteArrayList<>();
    private final List<Throwable> failures = new CopyOnWriteArrayList<>();

    HostServer(Service service) {
        this.service = service;
        try {
            listener = new ServerSocket(0, 1024, InetAddress.ofLiteral("127.0.0.1"));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        Thread.ofPlatform().daemon().name("host-server").start(this::acceptAll);
    }

    /** Sends {@code data} and closes. */
    static HostServer sending(RandomData data) {
        return new HostServer(s -> data.writeTo(s.getOutputStream()));
    }

    /** Answers with the SHA-256 of everything it got, once the other side has shut its output down. */
    static HostServer digesting() {
        return new HostServer(s -> write(s, RandomData.sha256(s.getInputStream()) + "\n"));
    }

    /** A small HTTP server that answers every request with {@code body}, and closes. */
    static HostServer http(String body) {
        return new HostServer(s -> {
            readHead(s.getInputStream());
            write(s, "HTTP/1.1 200 OK\r\nContent-Length: " + body.length() + "\r\nConnection: close\r\n\r\n" + body);
        });
    }

    /** Sends one byte to each of {@code count} connections, but not before all of them are there. */
    static HostServer rendezvous(int count) {
        CountDownLatch all = new CountDownLatch(count);
        return new HostServer(s -> {
            all.countDown();
            if (!all.await(60, TimeUnit.SECONDS)) {
                throw new AssertionError(all.getCount() + " of " + count + " connections did not come");
            }
            s.getOutputStream().write('.');
        });
    }

    int port() {
        return listener.getLocalPort();
    }

    /** What the services threw. */
    List<Throwable> failures() {
        return failures;
    }

    private void acceptAll() {
        try {
            while (true) {
                Socket s = listener.accept();
                open.add(s);
                Thread.ofVirtual().start(() -> serve(s));
            }
        } catch (IOException e) {
            // closed
        }
    }

    private void serve(Socket s) {
        try (s) {
            service.serve(s);
        } catch (Throwable e) {
            failures.add(e);
        } finally {
            open.remove(s);
        }
    }

    static void write(Socket s, String text) throws IOException {
        s.getOutputStream().write(text.getBytes(StandardCharsets.UTF_8));
    }

    /** A head of HTTP, up to the empty line. */
    static String readHead(InputStream in) throws IOException {
        StringBuilder head = new StringBuilder();
        while (head.indexOf("\r\n\r\n") < 0) {
            int c = in.read();
            if (c < 0) {
                break;
            }
            head.append((char) c);
        }
        return head.toString();
    }

    /** A connection to a port of the host's loopback. */
    static Socket connect(int port) throws IOException {
        return connect("127.0.0.1", port);
    }

    private static Socket connect(String address, int port) throws IOException {
        Socket s = new Socket();
        s.connect(new InetSocketAddress(InetAddress.ofLiteral(address), port), 5000);
        s.setSoTimeout(30_000);
        return s;
    }

    /** The body of an HTTP answer from a port of the host's loopback. */
    static String get(int port) throws IOException {
        return get("127.0.0.1", port);
    }

    /** The body of an HTTP answer from an address of the host. */
    static String get(String address, int port) throws IOException {
        try (Socket s = connect(address, port)) {
            write(s, "GET / HTTP/1.0\r\n\r\n");
            String all = new String(s.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            return all.substring(all.indexOf("\r\n\r\n") + 4);
        }
    }

    @Override
    public void close() {
        try {
            listener.close();
            for (Socket s : open) {
                s.close();
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
