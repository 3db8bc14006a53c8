package dev.longshore.backend;

import dev.longshore.engine.HostSocket;
import dev.longshore.fileshare.os.Open;
import dev.longshore.fileshare.os.PathWalk;
import dev.longshore.fileshare.os.Posix;
import dev.longshore.fileshare.os.Stat;
import dev.longshore.fileshare.os.ThreadCalls;
import dev.longshore.linux.Errno;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Paths of the host that this program follows for the sake of containers. Whoever is in a container can make links in a shared folder,
 * so this program follows none there: they would lead it wherever the daemon's user may go. Confined to one thread at a time: the file
 * system, which it waits for, may be slow.
 */
final class HostPaths {
    /** S_ISVTX | S_IWOTH: where everybody can make links. */
    private static final int EVERYBODYS = Stat.S_ISVTX | 0x2;

    private static final int USUAL_MODE = 0x1FF; // the process's umask takes from it

    private final PathWalk walk = new PathWalk();
    private final Posix posix = new Posix();
    private final Posix closer = new Posix(); // of whoever has a socket; under its lock
    private final Stat stat = new Stat();
    private final int user = new ThreadCalls().effectiveUid();

    /** Where a path leads. */
    sealed interface Way {
        /** To {@code real}, without links; there may be nothing. */
        record To(Path real) implements Way {}

        /** By a link in {@code folder}, which somebody else may have made. */
        record Untrusted(Path folder) implements Way {}

        /** Nobody knows: it can't be looked at. */
        record Unknown() implements Way {}
    }

    /** Where {@code path} leads without any link in {@code folders} or below them. */
    Way follow(Path path, List<Path> folders) {
        int fd = open(path, folders);
        if (fd >= 0) {
            posix.close(fd);
            return new Way.To(walk.reached());
        }
        return switch (-fd) {
            case Errno.ENOENT ->
                new Way.To(walk.reached().resolve(walk.missing()).normalize());
            case Errno.EPERM -> new Way.Untrusted(walk.reached());
            default -> new Way.Unknown();
        };
    }

    private int open(Path path, List<Path> folders) {
        return walk.open(
                path,
                (fd, directory, name, found, last) ->
                        found == null || found.type() != Stat.S_IFLNK || isTrusted(directory, found, folders));
    }

    /** may_follow_link: Linux fs/namei.c, which does this for every program where fs.protected_symlinks is on. */
    private boolean isTrusted(Stat directory, Stat link, List<Path> folders) {
        Path at = walk.reached();
        boolean everybodys = (directory.mode() & EVERYBODYS) == EVERYBODYS;
        return folders.stream().noneMatch(at::startsWith)
                && (!everybodys || link.uid() == user || link.uid() == directory.uid());
    }

    /**
     * The Unix socket at {@code path}, whoever moves things about until it is connected to; nothing if there is none, or a link in
     * {@code folders} leads to it, or it is one of ours but for that of the Docker API.
     */
    Optional<HostSocket> socket(Path path, List<Path> folders, OwnFiles own) {
        int fd = path.isAbsolute() ? open(path, folders) : -Errno.ENOENT;
        if (fd < 0) {
            return Optional.empty();
        }
        Path real = walk.reached();
        if (own.holdSocket(real) || posix.statx(fd, stat) < 0 || stat.type() != Stat.S_IFSOCK) {
            posix.close(fd);
            return Optional.empty();
        }
        return Optional.of(new Opened(closer, fd));
    }

    /** Named by a descriptor: the kernel follows that to the very socket. Thread-safe: one lock. */
    private static final class Opened implements HostSocket {
        private final Posix closer;
        private final int fd;
        private boolean closed;

        Opened(Posix closer, int fd) {
            this.closer = closer;
            this.fd = fd;
        }

        @Override
        public Path path() {
            return Path.of("/proc/self/fd/" + fd);
        }

        @Override
        public void close() {
            synchronized (closer) {
                if (!closed) {
                    closed = true;
                    closer.close(fd);
                }
            }
        }
    }

    /** Why the folder {@code at} could not be made. */
    record Unmade(Path at, int errno) {}

    /** Makes the directories of {@code path} below {@code folder}, following no link; null if they are there now. */
    @Nullable
    Unmade makeBelow(Path folder, Path path) {
        int dir = posix.openWithoutLinks(posix.name(bytes(folder)), Open.O_PATH | Open.O_DIRECTORY | Open.O_CLOEXEC);
        Path at = folder;
        for (Path name : path) {
            if (dir < 0) {
                break;
            }
            at = at.resolve(name);
            dir = enter(dir, bytes(name));
        }
        if (dir < 0) {
            return new Unmade(at, -dir);
        }
        posix.close(dir);
        return null;
    }

    private int enter(int dir, byte[] name) {
        int flags = Open.O_PATH | Open.O_DIRECTORY | Open.O_NOFOLLOW | Open.O_CLOEXEC;
        int next = posix.openBeneath(dir, posix.name(name), flags, 0);
        if (next == -Errno.ENOENT) {
            int made = posix.mkdirat(dir, posix.name(name), USUAL_MODE);
            next = made < 0 && made != -Errno.EEXIST ? made : posix.openBeneath(dir, posix.name(name), flags, 0);
        }
        posix.close(dir);
        return next;
    }

    private static byte[] bytes(Path path) {
        return path.toString().getBytes(StandardCharsets.UTF_8);
    }
}
