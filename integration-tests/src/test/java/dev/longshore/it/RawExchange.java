package dev.longshore.it;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.CompletableFuture;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * One conversation through a proxy between a raw client and a raw origin, which answers when it has a whole message or nothing more comes.
 * All is text of ISO-8859-1.
 *
 * @param atOrigin what arrived, by one connection or several
 * @param atClient what was answered
 */
record RawExchange(String atOrigin, String atClient) {
    /** What a program that does well needs milliseconds for; one that does not is given up. */
    private static final int PATIENCE_MILLIS = 3000;

    private static final Pattern LENGTH = Pattern.compile("(?im)^content-length: *([0-9]+)");
    private static final Pattern STATUS = Pattern.compile("HTTP/1\\.[01] ([0-9]{3})");

    /**
     * @param requests each is sent when the one before has been answered; {@code ORIGIN} in them becomes the origin's host and port
     * @param answer the origin's
     * @param originName for ORIGIN
     */
    static RawExchange of(int proxyPort, String originName, String answer, String... requests) throws Exception {
        CompletableFuture<String> arrived = new CompletableFuture<>();
        StringBuilder answered = new StringBuilder();
        try (ServerSocket server = new ServerSocket(0, 10, InetAddress.getLoopbackAddress());
                Socket client = new Socket(InetAddress.getLoopbackAddress(), proxyPort)) {
            Thread.ofPlatform().daemon().start(() -> arrived.complete(serve(server, answer)));
            client.setSoTimeout(PATIENCE_MILLIS);
            for (String request : requests) {
                String bytes = request.replace("ORIGIN", originName + ":" + server.getLocalPort());
                try {
                    client.getOutputStream().write(bytes.getBytes(StandardCharsets.ISO_8859_1));
                } catch (IOException e) {
                    break; // refused before its end
                }
                answered.append(read(client.getInputStream(), RawExchange::isWholeAnswer));
            }
        } // who has not come to the server by now will not
        return new RawExchange(arrived.join(), answered.toString());
    }

    /** All that came by whichever connection. */
    private static String serve(ServerSocket server, String answer) {
        List<CompletableFuture<String>> connections = new ArrayList<>();
        try {
            while (true) {
                Socket s = server.accept();
                CompletableFuture<String> arrived = new CompletableFuture<>();
                connections.add(arrived);
                Thread.ofPlatform().daemon().start(() -> arrived.complete(serve(s, answer)));
            }
        } catch (IOException e) {
            return connections.stream().map(CompletableFuture::join).collect(Collectors.joining());
        }
    }

    private static String serve(Socket connection, String answer) {
        StringBuilder all = new StringBuilder();
        try (Socket s = connection) {
            s.setSoTimeout(PATIENCE_MILLIS);
            OutputStream out = s.getOutputStream();
            for (String more = read(s.getInputStream(), RawExchange::isWholeRequest);
                    !more.isEmpty();
                    more = read(s.getInputStream(), RawExchange::isWholeRequest)) {
                all.append(more);
                out.write(answer.getBytes(StandardCharsets.ISO_8859_1));
                if (answer.startsWith("HTTP/1.1 101 ")) {
                    String frames = read(s.getInputStream(), text -> text.length() == 6);
                    out.write(frames.getBytes(StandardCharsets.ISO_8859_1));
                }
            }
        } catch (IOException e) {
            // a reset: what came before it counts
        }
        return all.toString();
    }

    private interface Whole {
        boolean is(String text);
    }

    /** Until it is whole, the end, or nothing more comes. */
    private static String read(InputStream in, Whole whole) {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        byte[] buffer = new byte[64 * 1024];
        try {
            for (int n = in.read(buffer); n > 0; n = in.read(buffer)) {
                all.write(buffer, 0, n);
                if (whole.is(all.toString(StandardCharsets.ISO_8859_1))) {
                    break;
                }
            }
        } catch (SocketTimeoutException e) {
            // it waits for what does not come: what is there counts
        } catch (IOException e) {
            // a reset ends it as well
        }
        return all.toString(StandardCharsets.ISO_8859_1);
    }

    /** Of a request whose framing is one of the two; the ambiguous ones end in silence. */
    private static boolean isWholeRequest(String text) {
        int end = text.indexOf("\r\n\r\n");
        if (end < 0) {
            return text.endsWith("\n\n");
        }
        String head = text.substring(0, end + 2).toLowerCase(Locale.ROOT);
        Matcher length = LENGTH.matcher(head);
        if (head.contains("\ntransfer-encoding: chunked")) {
            return text.matches("(?s).*\r\n0\r\n(?:[^\r\n]+\r\n)*\r\n");
        }
        return !length.find() || text.length() - end - 4 >= Integer.parseInt(length.group(1));
    }

    /** The final response, or what a switched connection sends back. */
    private static boolean isWholeAnswer(String text) {
        String rest = text;
        while (rest.matches("(?s)HTTP/1\\.[01] 10[02-9].*")) {
            int end = rest.indexOf("\r\n\r\n");
            if (end < 0) {
                return false;
            }
            rest = rest.substring(end + 4);
        }
        int end = rest.indexOf("\r\n\r\n");
        if (end < 0) {
            return false;
        }
        if (rest.startsWith("HTTP/1.1 101")) {
            return true;
        }
        Matcher length = LENGTH.matcher(rest.substring(0, end + 2));
        boolean chunked = rest.substring(0, end).toLowerCase(Locale.ROOT).contains("transfer-encoding: chunked");
        return chunked
                ? rest.endsWith("0\r\n\r\n")
                : length.find() && rest.length() - end - 4 >= Integer.parseInt(length.group(1));
    }

    /** Of the last response; 0 if there was none. */
    int status() {
        Matcher m = STATUS.matcher(atClient);
        int status = 0;
        while (m.find()) {
            status = Integer.parseInt(m.group(1));
        }
        return status;
    }

    /** A status that says no, and not a byte for the origin. */
    boolean isRefused() {
        return status() >= 400 && atOrigin.isEmpty();
    }

    /** True if the origin got a field of that name, any number of times. */
    boolean originGot(String field) {
        return count(field) > 0;
    }

    /** How many lines of fields with that name the origin got. */
    int count(String field) {
        Matcher m = Pattern.compile("(?im)^" + Pattern.quote(field) + "[ \t]*:").matcher(atOrigin);
        int count = 0;
        while (m.find()) {
            count++;
        }
        return count;
    }
}
