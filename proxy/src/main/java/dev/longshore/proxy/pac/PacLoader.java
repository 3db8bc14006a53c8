package dev.longshore.proxy.pac;

import dev.longshore.proxy.route.ProxyConfig;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.HttpURLConnection;
import java.net.Proxy;
import java.net.URI;
import java.net.URISyntaxException;
import java.net.URL;
import java.net.URLConnection;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Base64;
import java.util.Locale;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Gets the text of a script: over HTTP, directly and from any content type, from a file, or from a {@code data:} URL (RFC 2397). At
 * most {@link #MAX_BYTES}. Its encoding is what a byte order mark says, then the Content-Type, then UTF-8 if it is that, else
 * Latin-1. Immutable; blocks.
 */
final class PacLoader {
    static final int MAX_BYTES = 1 << 20;

    private static final int MAX_REDIRECTS = 5;
    private static final Pattern CHARSET = Pattern.compile("(?i)charset\\s*=\\s*\"?([a-z0-9._:-]+)");

    private final Duration limit;

    /** @param limit of one fetch from its beginning to its end */
    PacLoader(Duration limit) {
        this.limit = limit;
    }

    /** Throws with a text for the user, which has no query and no password of the URL. */
    String load(ProxyConfig.Location location) throws PacException {
        if (location.url().isEmpty()) {
            return location.text();
        }
        String url = location.url();
        String scheme = url.substring(0, Math.max(0, url.indexOf(':'))).toLowerCase(Locale.ROOT);
        try {
            return switch (scheme) {
                case "http", "https" -> fetch(url);
                case "file" -> text(file(path(url)), "");
                case "data" -> data(url.substring(5));
                default -> throw new PacException("its URL is none of http, https, file or data");
            };
        } catch (NoSuchFileException e) {
            throw new PacException("there is no such file");
        } catch (IOException | URISyntaxException | IllegalArgumentException e) {
            throw new PacException("it can't be had: " + reason(e, url));
        }
    }

    /** Messages of the JDK may have the URL. */
    private static String reason(Exception e, String url) {
        String message = String.valueOf(e.getMessage());
        return e instanceof URISyntaxException || message.contains(url)
                ? e.getClass().getSimpleName()
                : e.getClass().getSimpleName() + " " + message;
    }

    /** Of a file URL; null for others. */
    static @Nullable Path file(ProxyConfig.Location location) {
        try {
            return location.url().regionMatches(true, 0, "file:", 0, 5) ? path(location.url()) : null;
        } catch (URISyntaxException | IllegalArgumentException e) {
            return null;
        }
    }

    private static Path path(String url) throws URISyntaxException {
        String path = new URI(url).getPath();
        if (path == null) {
            throw new URISyntaxException("", "no path");
        }
        return Path.of(path);
    }

    private static byte[] file(Path path) throws IOException, PacException {
        if (!Files.isRegularFile(path) && Files.exists(path)) {
            throw new PacException("it is no file");
        }
        try (InputStream in = Files.newInputStream(path)) {
            return limited(in, Long.MAX_VALUE);
        }
    }

    private static byte[] limited(InputStream in, long deadline) throws IOException, PacException {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        byte[] some = new byte[16_384];
        for (int n = in.read(some); n >= 0; n = in.read(some)) {
            all.write(some, 0, n);
            if (all.size() > MAX_BYTES) {
                throw new PacException("it has more than " + (MAX_BYTES >> 20) + " MiB");
            }
            if (deadline != Long.MAX_VALUE && System.nanoTime() - deadline > 0) {
                throw new PacException("it did not come in time");
            }
        }
        return all.toByteArray();
    }

    /** In a thread that can be interrupted while it reads: a server may send its header a byte at a time, each of them in time. */
    private String fetch(String url) throws IOException, PacException, URISyntaxException {
        long deadline = System.nanoTime() + limit.toNanos();
        FutureTask<String> task = new FutureTask<>(() -> fetch(url, deadline));
        Thread thread = Thread.ofVirtual().name("pac-fetch").start(task);
        try {
            return task.get(limit.toNanos(), TimeUnit.NANOSECONDS);
        } catch (TimeoutException e) {
            throw new PacException("it did not come in time");
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new PacException("it is not wanted any more");
        } catch (ExecutionException e) {
            switch (e.getCause()) {
                case PacException failed -> throw failed;
                case IOException failed -> throw failed;
                case URISyntaxException failed -> throw failed;
                case IllegalArgumentException failed -> throw failed;
                case null, default -> throw new PacException("it can't be had: " + e.getCause());
            }
        } finally {
            thread.interrupt(); // which closes its socket
        }
    }

    private String fetch(String first, long deadline) throws IOException, PacException, URISyntaxException {
        URI at = new URI(first);
        for (int i = 0; i <= MAX_REDIRECTS; i++) {
            HttpURLConnection connection = open(at);
            try {
                int status = connection.getResponseCode();
                if (status >= 300 && status < 400 && connection.getHeaderField("Location") != null) {
                    at = at.resolve(connection.getHeaderField("Location"));
                    if (!"http".equalsIgnoreCase(at.getScheme()) && !"https".equalsIgnoreCase(at.getScheme())) {
                        throw new PacException("its server leads elsewhere than to http or https");
                    }
                    continue;
                }
                if (status != HttpURLConnection.HTTP_OK) {
                    throw new PacException("its server answers " + status);
                }
                String type = connection.getContentType();
                try (InputStream in = connection.getInputStream()) {
                    return text(limited(in, deadline), type == null ? "" : type);
                }
            } finally {
                connection.disconnect();
            }
        }
        throw new PacException("its server leads in circles");
    }

    private HttpURLConnection open(URI at) throws IOException {
        URL url = at.toURL();
        URLConnection connection = url.openConnection(Proxy.NO_PROXY); // or it would be needed to find itself
        if (!(connection instanceof HttpURLConnection http)) {
            throw new IOException("not HTTP");
        }
        http.setConnectTimeout((int) limit.toMillis());
        http.setReadTimeout((int) limit.toMillis());
        http.setInstanceFollowRedirects(false); // from http to https it would not
        http.setUseCaches(false);
        http.setRequestProperty("Accept", "application/x-ns-proxy-autoconfig, */*");
        if (at.getUserInfo() != null) {
            http.setRequestProperty(
                    "Authorization",
                    "Basic "
                            + Base64.getEncoder()
                                    .encodeToString(at.getUserInfo().getBytes(StandardCharsets.UTF_8)));
        }
        return http;
    }

    /** RFC 2397: {@code [type][;base64],data}. */
    private static String data(String url) throws PacException {
        int comma = url.indexOf(',');
        if (comma < 0) {
            throw new PacException("its data: URL has no comma");
        }
        String type = url.substring(0, comma);
        byte[] plain = unescaped(url.substring(comma + 1));
        byte[] bytes = type.toLowerCase(Locale.ROOT).endsWith(";base64")
                ? Base64.getMimeDecoder().decode(plain)
                : plain;
        if (bytes.length > MAX_BYTES) {
            throw new PacException("it has more than " + (MAX_BYTES >> 20) + " MiB");
        }
        return text(bytes, type);
    }

    private static byte[] unescaped(String text) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        byte[] in = text.getBytes(StandardCharsets.UTF_8);
        for (int i = 0; i < in.length; i++) {
            int high = in[i] == '%' && i + 2 < in.length ? Character.digit(in[i + 1], 16) : -1;
            int low = high < 0 ? -1 : Character.digit(in[i + 2], 16);
            out.write(low < 0 ? in[i] : high << 4 | low);
            i += low < 0 ? 0 : 2;
        }
        return out.toByteArray();
    }

    private static String text(byte[] b, String type) {
        if (b.length >= 2
                && ((b[0] == (byte) 0xFE && b[1] == (byte) 0xFF) || (b[0] == (byte) 0xFF && b[1] == (byte) 0xFE))) {
            return new String(b, StandardCharsets.UTF_16);
        }
        if (b.length >= 3 && b[0] == (byte) 0xEF && b[1] == (byte) 0xBB && b[2] == (byte) 0xBF) {
            return new String(b, 3, b.length - 3, StandardCharsets.UTF_8);
        }
        Matcher named = CHARSET.matcher(type);
        if (named.find()) {
            try {
                return new String(b, Charset.forName(named.group(1)));
            } catch (IllegalArgumentException e) {
                // no such charset: as if nothing was said
            }
        }
        try {
            return StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(b))
                    .toString();
        } catch (CharacterCodingException e) {
            return new String(b, StandardCharsets.ISO_8859_1);
        }
    }
}
