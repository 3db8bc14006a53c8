package dev.longshore.vpnkit.hostsocket;

import io.netty.channel.ConnectTimeoutException;
import io.netty.channel.unix.Errors;
import java.net.ConnectException;
import java.net.NoRouteToHostException;
import org.jspecify.annotations.Nullable;

/**
 * From the exception of a failed connect to a {@link DialResult}. Netty's native transport keeps no errno in it, only the
 * C library's text, which depends on the locale: so the text is compared with what this C library says for each errno.
 * Immutable.
 */
final class ConnectErrors {
    // asm-generic/errno.h and errno-base.h, the same on x86-64 and arm64.
    private static final int EPERM = 1;
    private static final int EACCES = 13;
    private static final int EADDRNOTAVAIL = 99;
    private static final int ENETUNREACH = 101;
    private static final int ETIMEDOUT = 110;
    private static final int ECONNREFUSED = 111;
    private static final int EHOSTUNREACH = 113;

    private final String notPermitted = text(EPERM, "Operation not permitted");
    private final String accessDenied = text(EACCES, "Permission denied");
    private final String notAvailable = text(EADDRNOTAVAIL, "Cannot assign requested address");
    private final String netUnreachable = text(ENETUNREACH, "Network is unreachable");
    private final String timedOut = text(ETIMEDOUT, "Connection timed out");
    private final String refused = text(ECONNREFUSED, "Connection refused");
    private final String hostUnreachable = text(EHOSTUNREACH, "No route to host");

    private final boolean nativeErrors;

    /** {@code nativeErrors}: the native library is loaded and can be asked for its texts. */
    ConnectErrors(boolean nativeErrors) {
        this.nativeErrors = nativeErrors;
    }

    private String text(int errno, String english) {
        if (!nativeErrors) {
            return english;
        }
        String message = String.valueOf(Errors.newIOException("", -errno).getMessage());
        return message.substring(message.indexOf(": ") + 2);
    }

    DialResult classify(Throwable cause) {
        String message = messages(cause);
        if (cause instanceof ConnectTimeoutException || message.contains(timedOut)) {
            return new DialResult.TimedOut();
        }
        if (message.contains(refused)) {
            return new DialResult.Refused();
        }
        if (message.contains(netUnreachable)) {
            return new DialResult.Unreachable(true, netUnreachable);
        }
        if (cause instanceof NoRouteToHostException || message.contains(hostUnreachable)) {
            return new DialResult.Unreachable(false, hostUnreachable);
        }
        if (message.contains(notAvailable)) {
            return new DialResult.Unreachable(false, notAvailable);
        }
        if (message.contains(accessDenied) || message.contains(notPermitted)) {
            return new DialResult.Denied(message);
        }
        return new DialResult.Failed(cause instanceof ConnectException ? message : cause + "");
    }

    /** Netty wraps the first exception to add the address. */
    private static String messages(Throwable cause) {
        @Nullable Throwable inner = cause.getCause();
        return cause.getMessage() + (inner == null ? "" : " (" + inner.getMessage() + ")");
    }
}
