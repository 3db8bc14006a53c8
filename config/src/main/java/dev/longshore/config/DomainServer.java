package dev.longshore.config;

import java.net.Inet4Address;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A name server for a domain and everything below it, written {@code DOMAIN=ADDRESS}, with {@code :PORT} behind if it is not 53; an IPv6
 * address that has a port is in brackets. Immutable.
 *
 * @param domain in lower case, without a last dot; "" (written ".") is everything
 * @param server its address, which may have a scope (RFC 4007 §11), and port
 */
public record DomainServer(String domain, InetSocketAddress server) {
    private static final int PORT = 53;
    private static final int MAX_PORT = 65_535;
    private static final int MAX_DOMAIN = 253;
    private static final Pattern DOMAIN = Pattern.compile("[a-z0-9_-]{1,63}(\\.[a-z0-9_-]{1,63})*");
    private static final Pattern SERVER = Pattern.compile(
            "([0-9.]{7,15})(?::([0-9]{1,5}))?|\\[([0-9a-fA-F:.]+(?:%[\\w.-]+)?)](?::([0-9]{1,5}))?|([0-9a-fA-F:.]*:[0-9a-fA-F:.]*(?:%[\\w.-]+)?)");

    /** Throws IllegalArgumentException with a sentence for the user. */
    public static DomainServer parse(String text) {
        int equals = text.indexOf('=');
        if (equals < 0) {
            throw must();
        }
        return new DomainServer(
                domain(text.substring(0, equals).strip()),
                server(text.substring(equals + 1).strip()));
    }

    private static String domain(String text) {
        String lower = text.toLowerCase(Locale.ROOT);
        if (lower.equals(".")) {
            return "";
        }
        String plain = lower.startsWith("*.") ? lower.substring(2) : lower.startsWith(".") ? lower.substring(1) : lower;
        String name = plain.endsWith(".") ? plain.substring(0, plain.length() - 1) : plain;
        if (name.length() > MAX_DOMAIN || !DOMAIN.matcher(name).matches()) {
            throw must();
        }
        return name;
    }

    private static InetSocketAddress server(String text) {
        Matcher m = SERVER.matcher(text);
        if (!m.matches()) {
            throw must();
        }
        String port = m.group(2) != null ? m.group(2) : m.group(4);
        int number = port == null ? PORT : Integer.parseInt(port);
        if (number < 1 || number > MAX_PORT) {
            throw must();
        }
        String literal = m.group(1) != null ? m.group(1) : m.group(3) != null ? m.group(3) : m.group(5);
        try {
            return new InetSocketAddress(InetAddress.getByName(literal), number); // a literal: no look-up happens
        } catch (UnknownHostException e) {
            throw must(); // an octet over 255, or a scope that is no interface here
        }
    }

    private static IllegalArgumentException must() {
        return new IllegalArgumentException(
                "must be DOMAIN=ADDRESS or DOMAIN=ADDRESS:PORT, as in corp.example=10.0.0.53 or lan=[fd00::53]:5353");
    }

    @Override
    public String toString() {
        InetAddress address = server.getAddress();
        String host = address.getHostAddress();
        boolean plain = server.getPort() == PORT;
        String text = address instanceof Inet4Address || plain ? host : "[" + host + "]";
        return (domain.isEmpty() ? "." : domain) + "=" + text + (plain ? "" : ":" + server.getPort());
    }
}
