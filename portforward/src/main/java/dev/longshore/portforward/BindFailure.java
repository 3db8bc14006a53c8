package dev.longshore.portforward;

import dev.longshore.portforward.ExposeResult.Reason;
import dev.longshore.portforward.ExposeResult.Refused;
import io.netty.channel.unix.Errors;
import java.util.Locale;

/**
 * Why a host socket could not be bound, in the words Docker Desktop has for it: Go's {@code net.OpError} behind
 * {@code ports are not available: exposing port TCP 0.0.0.0:443 -> 127.0.0.1:0:}. The guest's part of that text is always
 * {@code 127.0.0.1:0} there, and tools match it. Immutable.
 *
 * @param errno Linux's number, positive; 0 if there is none
 * @param text what Go prints for it
 */
record BindFailure(int errno, String text) {
    private static final int EPERM = 1;
    private static final int EACCES = 13;
    private static final int ENFILE = 23;
    private static final int EMFILE = 24;
    private static final int EAFNOSUPPORT = 97;
    static final int EADDRINUSE = 98;
    private static final int EADDRNOTAVAIL = 99;

    static final BindFailure IN_USE = of(EADDRINUSE);

    /** A setting forbids the address; vpnkit's EPERM. */
    static BindFailure notAllowed(BindPolicy policy) {
        return new BindFailure(
                EPERM,
                "bind: operation not permitted (vpnKitAllowedBindAddresses allows " + policy.allowedText() + ")");
    }

    /** From whatever Netty threw; a {@code ChannelException} of a socket that could not even be made has it as cause. */
    static BindFailure of(Throwable thrown) {
        for (Throwable t = thrown; t != null; t = t.getCause()) {
            if (t instanceof Errors.NativeIoException e) {
                return of(-e.expectedErr(), String.valueOf(e.getMessage()));
            }
        }
        return new BindFailure(0, String.valueOf(thrown.getMessage()));
    }

    static BindFailure of(int errno) {
        return of(errno, "error " + errno);
    }

    /** Our own limit, not the host's. */
    static BindFailure tooMany(int limit) {
        return new BindFailure(0, "bind: " + limit + " ports are published, as many as limits.publishedPorts allows");
    }

    private static BindFailure of(int errno, String otherwise) {
        return new BindFailure(errno, word(errno, otherwise));
    }

    private static String word(int errno, String otherwise) {
        return switch (errno) {
            case EPERM -> "bind: operation not permitted";
            case EACCES -> "bind: permission denied";
            case EADDRINUSE -> "bind: address already in use";
            case EADDRNOTAVAIL -> "bind: cannot assign requested address";
            case EAFNOSUPPORT -> "socket: address family not supported by protocol";
            case EMFILE -> "socket: too many open files";
            case ENFILE -> "socket: too many open files in system";
            default -> "bind: " + otherwise;
        };
    }

    Reason reason() {
        return switch (errno) {
            case EADDRINUSE -> Reason.IN_USE;
            case EPERM, EACCES -> Reason.FORBIDDEN;
            case EADDRNOTAVAIL, EAFNOSUPPORT -> Reason.NO_SUCH_ADDRESS;
            default -> Reason.OTHER;
        };
    }

    /** True if the host has no IPv6, provided that {@code ::} was asked for. */
    boolean meansNoAddressOfFamily() {
        return reason() == Reason.NO_SUCH_ADDRESS;
    }

    Refused refusal(HostEndpoint host) {
        return new Refused(reason(), "ports are not available: exposing port " + exposing(host) + hint(host));
    }

    private String exposing(HostEndpoint host) {
        String word = host.protocol().word();
        return word.toUpperCase(Locale.ROOT) + " " + host.text() + " -> 127.0.0.1:0: listen " + word + " " + host.text()
                + ": " + text;
    }

    /** Docker Desktop has a root helper for these ports; we say what the host's administrator can do. */
    private String hint(HostEndpoint host) {
        return errno == EACCES && host instanceof HostEndpoint.Port p && p.port() > 0 && p.port() < 1024
                ? " (ports below 1024 need the sysctl net.ipv4.ip_unprivileged_port_start=" + p.port()
                        + ", or a port of 1024 and above)"
                : "";
    }
}
