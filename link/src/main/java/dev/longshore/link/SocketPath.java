package dev.longshore.link;

import dev.longshore.linux.Linux;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;

/**
 * The place of a Unix socket that we listen on: free to bind, and for this user only afterwards. Immutable.
 *
 * @param path at most {@link Linux#MAX_SOCKET_PATH_BYTES} bytes long
 */
public record SocketPath(Path path) {
    /**
     * Removes the socket that an earlier process left behind; nothing else is ever removed.
     *
     * @throws IOException with a text for the user, if the path is too long or taken by something that is no socket
     */
    public void prepare() throws IOException {
        if (path.toString().getBytes(StandardCharsets.UTF_8).length > Linux.MAX_SOCKET_PATH_BYTES) {
            throw new IOException("socket path is longer than " + Linux.MAX_SOCKET_PATH_BYTES + " bytes: " + path);
        }
        if (!Files.exists(path, LinkOption.NOFOLLOW_LINKS)) {
            return;
        }
        boolean other = Files.isRegularFile(path, LinkOption.NOFOLLOW_LINKS)
                || Files.isDirectory(path, LinkOption.NOFOLLOW_LINKS)
                || Files.isSymbolicLink(path);
        if (other) {
            throw new IOException("exists and is not a socket: " + path);
        }
        Files.delete(path);
    }

    /** After bind: nobody else may connect. */
    public void restrict() throws IOException {
        Files.setPosixFilePermissions(path, PosixFilePermissions.fromString("rw-------"));
    }

    /** When it is closed. */
    public void remove() throws IOException {
        Files.deleteIfExists(path);
    }
}
