package dev.longshore.vpnkit.hostsocket;

import dev.longshore.linux.Errno;
import io.netty.channel.unix.Errors.NativeIoException;

/** From the exception of a failed connect to a {@link DialResult}. */
final class ConnectErrors {
    private ConnectErrors() {}

    static DialResult classify(Throwable cause) {
        return cause instanceof NativeIoException e
                ? classify(-e.expectedErr(), cause)
                : new DialResult.Failed(String.valueOf(cause));
    }

    private static DialResult classify(int errno, Throwable cause) {
        return switch (errno) {
            case Errno.ETIMEDOUT -> new DialResult.TimedOut();
            case Errno.ECONNREFUSED -> new DialResult.Refused();
            case Errno.ENETUNREACH -> new DialResult.Unreachable(true, Errno.text(errno));
            case Errno.EHOSTUNREACH, Errno.EADDRNOTAVAIL -> new DialResult.Unreachable(false, Errno.text(errno));
            case Errno.EACCES, Errno.EPERM -> new DialResult.Denied(Errno.text(errno));
            default -> new DialResult.Failed(String.valueOf(cause.getMessage()));
        };
    }
}
