package dev.longshore.proxy.audit;

import dev.longshore.packet.wire.IpAddress;
import java.time.Instant;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * One request or tunnel through the proxy that has ended. Immutable. Has no queries of URLs, no fields and no bodies: what people
 * keep secret is there.
 *
 * @param ended when
 * @param millis from the request's head, or the connection, to its end
 * @param source who asked: a container's or the guest's address; null if that is not known
 * @param container its name, or empty
 * @param kind how it came
 * @param method of HTTP; empty for tunnels that did not ask for one
 * @param host a name or an address literal; empty if none was understood
 * @param port 1..65535, or 0 where there is no host
 * @param named how the host was known
 * @param path without the query; empty for tunnels
 * @param route the hop it took, as {@code DIRECT} or {@code http://proxy:3128}; or why it took none
 * @param remote the address and port that the daemon was connected to, the host's own or the proxy's; empty if there was no connection
 * @param rule what decided the way, for people; empty if nothing did
 * @param auth the scheme by which the upstream proxy took us, as in {@code Basic}; empty if it asked for none
 * @param status of the answer to the guest; 0 where none was given
 * @param bytesFromGuest bodies or tunnelled bytes
 * @param bytesToGuest the same the other way
 * @param error what went wrong, or empty
 */
public record AuditRecord(
        Instant ended,
        long millis,
        @Nullable IpAddress source,
        String container,
        Kind kind,
        String method,
        String host,
        int port,
        Named named,
        String path,
        String route,
        String remote,
        String rule,
        String auth,
        int status,
        long bytesFromGuest,
        long bytesToGuest,
        String error) {
    /** How a connection came to the proxy. */
    public enum Kind {
        /** A request in absolute-form. */
        REQUEST,
        CONNECT,
        /** A request of a connection that was taken unasked. */
        TAKEN_REQUEST,
        /** A tunnel for a connection that was taken unasked. */
        TAKEN_TUNNEL,
        /** What could not be understood. */
        INVALID
    }

    /** How the host of a destination was known. */
    public enum Named {
        /** A request's target. */
        TARGET,
        CONNECT,
        /** The field of a request that was taken unasked. */
        HOST,
        /** TLS's server name, in a tunnel that was taken unasked. */
        SNI,
        /** The guest had been told this name for the address. */
        DNS,
        /** There is only an address, or nothing. */
        NONE
    }

    /** In small letters. */
    public String namedWord() {
        return named.name().toLowerCase(Locale.ROOT);
    }

    /** {@code request}, {@code connect}, {@code taken-request}, {@code taken-tunnel}, {@code invalid}. */
    public String kindWord() {
        return kind.name().toLowerCase(Locale.ROOT).replace('_', '-');
    }

    /** One line of JSON, without a line feed; times in RFC 3339, absent members where nothing is known. */
    public String toJson() {
        JsonLine line = new JsonLine()
                .add("time", ended.toString())
                .add("millis", millis)
                .add("source", source == null ? "" : source.toString())
                .add("container", container)
                .add("kind", kindWord())
                .add("method", method)
                .add("host", host);
        if (port != 0) {
            line.add("port", port).add("named", namedWord());
        }
        line.add("path", path)
                .add("route", route)
                .add("remote", remote)
                .add("rule", rule)
                .add("auth", auth);
        if (status != 0) {
            line.add("status", status);
        }
        return line.add("fromGuest", bytesFromGuest)
                .add("toGuest", bytesToGuest)
                .add("error", error)
                .end();
    }
}
