package dev.longshore.proxy.route;

import dev.longshore.proxy.route.ProxyAddress.Login;
import dev.longshore.proxy.route.ProxyAddress.Protocol;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * Reads a proxy's URL: {@code [scheme://][user[:password]@]host[:port][/]}. The schemes are http (also without any), https,
 * socks5, socks5h, socks (all three SOCKS 5 that resolves names itself), socks4 and socks4a. User and password are
 * percent-decoded; the default ports are those that Go and curl agree on: 80, 443 and 1080.
 */
public final class ProxyUrl {
    private static final int MAX_CHARS = 4096;
    private static final int MAX_PORT = 65_535;
    private static final int SOCKS_PORT = 1080;

    private ProxyUrl() {}

    /**
     * Reads one.
     *
     * @throws IllegalArgumentException with what is wrong, to be put behind the name of what it is, and without any part of {@code text}
     */
    public static ProxyAddress parse(String text) {
        String url = text.strip();
        if (url.isEmpty() || url.length() > MAX_CHARS) {
            throw new IllegalArgumentException("is no proxy's URL");
        }
        int scheme = url.indexOf("://");
        Protocol protocol = scheme < 0 ? Protocol.HTTP : protocol(url.substring(0, scheme));
        String rest = scheme < 0 ? url : url.substring(scheme + 3);
        int path = firstOf(rest, '/', '?', '#', rest.lastIndexOf('@') + 1);
        if (path < rest.length() && !rest.substring(path).equals("/")) {
            throw new IllegalArgumentException("has a path; a proxy's URL ends with its port");
        }
        String authority = rest.substring(0, path);
        int at = authority.lastIndexOf('@');
        Login login = at < 0 ? null : login(authority.substring(0, at));
        return address(protocol, authority.substring(at + 1), login);
    }

    private static int firstOf(String text, char a, char b, char c, int from) {
        for (int i = from; i < text.length(); i++) {
            char x = text.charAt(i);
            if (x == a || x == b || x == c) {
                return i;
            }
        }
        return text.length();
    }

    private static Protocol protocol(String scheme) {
        return switch (scheme.toLowerCase(Locale.ROOT)) {
            case "http" -> Protocol.HTTP;
            case "https" -> Protocol.HTTPS;
            case "socks", "socks5", "socks5h" -> Protocol.SOCKS5;
            case "socks4", "socks4a" -> Protocol.SOCKS4;
            default ->
                throw new IllegalArgumentException("is of no kind of proxy known here: http, https, socks5, socks4");
        };
    }

    private static @Nullable Login login(String userInfo) {
        int colon = userInfo.indexOf(':');
        String user = decoded(colon < 0 ? userInfo : userInfo.substring(0, colon));
        String password = colon < 0 ? "" : decoded(userInfo.substring(colon + 1));
        return user.isEmpty() && password.isEmpty() ? null : new Login(user, password);
    }

    /** RFC 3986 §2.1, as UTF-8. */
    private static String decoded(String text) {
        byte[] raw = text.getBytes(StandardCharsets.UTF_8);
        ByteBuffer out = ByteBuffer.allocate(raw.length);
        for (int i = 0; i < raw.length; i++) {
            if (raw[i] != '%') {
                out.put(raw[i]);
                continue;
            }
            int high = i + 2 < raw.length ? Character.digit(raw[i + 1], 16) : -1;
            int low = high < 0 ? -1 : Character.digit(raw[i + 2], 16);
            if (low < 0) {
                throw new IllegalArgumentException("has a % in user or password that no two hexadecimal digits follow");
            }
            out.put((byte) (high << 4 | low));
            i += 2;
        }
        try {
            return StandardCharsets.UTF_8.newDecoder().decode(out.flip()).toString();
        } catch (CharacterCodingException e) {
            throw new IllegalArgumentException("has a user or password that is not UTF-8");
        }
    }

    /**
     * {@code host[:port]}, as PAC results have it, too.
     *
     * @throws IllegalArgumentException as {@link #parse}
     */
    public static ProxyAddress address(Protocol protocol, String hostPort, @Nullable Login login) {
        boolean bracketed = hostPort.startsWith("[");
        int end = bracketed ? hostPort.indexOf(']') : hostPort.indexOf(':');
        if (bracketed && end < 0) {
            throw new IllegalArgumentException("has a host with a bracket that nothing closes");
        }
        int colon = bracketed ? end + 1 : end < 0 ? hostPort.length() : end;
        String host = bracketed ? hostPort.substring(1, end) : hostPort.substring(0, colon);
        String port = hostPort.substring(colon);
        if (!port.isEmpty() && !port.equals(":") && !port.matches(":[0-9]{1,5}")) {
            throw new IllegalArgumentException("has a port that is none of 1 to 65535; an IPv6 address needs brackets");
        }
        int number = port.length() < 2 ? defaultPort(protocol) : Integer.parseInt(port.substring(1));
        if (number < 1 || number > MAX_PORT) {
            throw new IllegalArgumentException("has a port that is none of 1 to 65535");
        }
        return new ProxyAddress(protocol, host(host, bracketed), number, login);
    }

    /** The guest's name for the host's loopback means that in a proxy's URL, too. */
    private static String host(String text, boolean bracketed) {
        String host = text.toLowerCase(Locale.ROOT);
        String name = host.endsWith(".") ? host.substring(0, host.length() - 1) : host;
        boolean valid = bracketed
                ? ExclusionList.literal(name) != null
                : !name.isEmpty()
                        && name.length() <= 255
                        && !("." + name + ".").contains("..") // no empty label
                        && name.chars().allMatch(c -> Character.isLetterOrDigit(c) || c == '.' || c == '-' || c == '_');
        if (!valid) {
            throw new IllegalArgumentException("has no host's name or address");
        }
        return name.equals("host.docker.internal") || name.equals("host.containers.internal") ? "localhost" : name;
    }

    private static int defaultPort(Protocol protocol) {
        return switch (protocol) {
            case HTTP -> 80;
            case HTTPS -> 443;
            case SOCKS5, SOCKS4 -> SOCKS_PORT;
        };
    }
}
