package dev.longshore.fileshare.fuse;

import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;

import dev.longshore.fileshare.os.FileData;
import dev.longshore.fileshare.os.IoVector;
import dev.longshore.fileshare.os.Open;
import dev.longshore.fileshare.os.Posix;
import dev.longshore.fileshare.share.Handle;
import dev.longshore.fileshare.share.Host;
import dev.longshore.fileshare.share.Node;
import dev.longshore.fileshare.share.SharedFolders;
import dev.longshore.linux.Errno;
import org.jspecify.annotations.Nullable;

/**
 * Operations on open files. Each returns the bytes of its reply's body or a negated errno. Confined to its thread.
 */
final class FileOps {
    private static final int FOPEN_KEEP_CACHE = 1 << 1;
    private static final int FOPEN_NOFLUSH = 1 << 5;
    private static final int OPEN_KILL_SUIDGID = 1;
    private static final int WRITE_CACHE = 1;
    private static final int WRITE_KILL_SUIDGID = 1 << 2;
    private static final int FSYNC_FDATASYNC = 1;
    private static final int SEEK_DATA = 3;
    private static final int SEEK_HOLE = 4;

    /** FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE, FALLOC_FL_ZERO_RANGE: linux/falloc.h. */
    private static final int FALLOCATE_MODES = 1 | 2 | 0x10;

    private static final int OPEN_FLAGS = Open.O_ACCMODE | Open.O_TRUNC | Open.O_SYNC;

    /** A file whose inode changed less than this before it was opened may have changed again in the same tick of the clock. */
    private static final long SETTLED_NANOS = 2_000_000_000L;

    private static final int MAX_COPY_BYTES = 1 << 30;

    private final Context c;
    private final Host host;
    private final Posix posix;
    private final FileData data;
    private final Request q;
    private final InodeOps inodes;
    private final IoVector vector = new IoVector();

    FileOps(Context c, InodeOps inodes) {
        this.c = c;
        this.host = c.host;
        this.posix = c.host.posix;
        this.data = c.host.data;
        this.q = c.request;
        this.inodes = inodes;
    }

    /**
     * What the guest's kernel should know of a file that is open as {@code fd}, by these flags: whether it has to ask at each close if
     * all was written. Nothing was, or it was written to a disk of this computer, which says so at the write.
     */
    static int openFlags(int fd, int flags, Host host) {
        return (flags & Open.O_ACCMODE) == Open.O_RDONLY || host.posix.isLocal(fd, host.statfs) ? FOPEN_NOFLUSH : 0;
    }

    /** struct fuse_open_in: flags 0, open_flags 4. struct fuse_open_out: fh 0, open_flags 8, backing_id 12. */
    int open() {
        Node n = c.nodes.find(q.nodeId());
        if (n == null) {
            return -Errno.ESTALE;
        }
        if (!n.isRegular()) {
            return n.isDirectory() ? -Errno.EISDIR : -Errno.ENXIO; // a host's FIFO or device would wait or act
        }
        int flags = q.u32(0);
        boolean writes = (flags & Open.O_ACCMODE) != Open.O_RDONLY || (flags & Open.O_TRUNC) != 0;
        if (writes && SharedFolders.isReadOnly(n)) {
            return -Errno.EROFS;
        }
        int fd = c.nodes.acquire(n, host);
        if (fd < 0) {
            return fd;
        }
        int file = posix.reopen(fd, (flags & OPEN_FLAGS) | Open.O_CLOEXEC);
        c.nodes.release(n, host);
        if (file < 0) {
            return file;
        }
        if ((flags & Open.O_TRUNC) != 0 && (q.u32(4) & OPEN_KILL_SUIDGID) != 0) {
            inodes.dropSetId(n, file);
        }
        Handle h = c.handles.open(n, file, (flags & Open.O_APPEND) != 0, (flags & Open.O_ACCMODE) != Open.O_RDONLY);
        if (h == null) {
            posix.close(file);
            return -Errno.ENFILE;
        }
        return opened(h, openFlags(file, flags, host) | keepCache(n, file));
    }

    private int opened(Handle h, int flags) {
        q.body().set(JAVA_LONG_UNALIGNED, 0, h.id());
        q.body().set(JAVA_INT_UNALIGNED, 8, flags);
        q.body().set(JAVA_INT_UNALIGNED, 12, 0);
        return 16;
    }

    /**
     * The guest's cached pages are good if the inode has not changed since the open after which they were read. Its ctime
     * tells, if it was old enough then.
     */
    private int keepCache(Node n, int fd) {
        if (posix.statx(fd, host.stat) < 0) {
            return 0;
        }
        long ctime = host.stat.ctime();
        boolean unchanged = n.cachedCtime() == ctime && ctime != 0;
        boolean settled = System.currentTimeMillis() * 1_000_000L - ctime > SETTLED_NANOS;
        n.cachedCtime(settled ? ctime : 0);
        return unchanged ? FOPEN_KEEP_CACHE : 0;
    }

    /**
     * struct fuse_read_in: fh 0, offset 8, size 16, read_flags 20. The data goes where the reply is to be.
     */
    int read(FuseExchange exchange) {
        Handle h = file(0);
        if (h == null) {
            return -Errno.EBADF;
        }
        try {
            long offset = q.u64(8);
            int size = (int)
                    Math.min(q.u32(16) & 0xFFFF_FFFFL, Math.max(0, exchange.replyRoom() - Request.REPLY_HEADER_BYTES));
            if (offset < 0) {
                return -Errno.EINVAL;
            }
            int done = 0;
            while (done < size) {
                vector.clear();
                int n = exchange.replyPieces(Request.REPLY_HEADER_BYTES + done, size - done, vector);
                if (n <= 0) {
                    break;
                }
                long r = data.preadv(h.fd(), vector, offset + done, 0);
                if (r <= 0) {
                    return done > 0 ? done : (int) r;
                }
                done += (int) r;
                if (r < n) {
                    break;
                }
            }
            if (c.tap.isOpen()) {
                h.moved(done, 0);
            }
            return done;
        } finally {
            c.nodes.release(h, host);
        }
    }

    /**
     * struct fuse_write_in: fh 0, offset 8, size 16, write_flags 20, lock_owner 24, flags 32, padding 36; the data.
     * struct fuse_write_out: size 0, padding 4.
     */
    int write(FuseExchange exchange) {
        Handle h = file(0);
        if (h == null) {
            return -Errno.EBADF;
        }
        try {
            long offset = q.u64(8);
            long size = q.u32(16) & 0xFFFF_FFFFL;
            if (!h.isWritable()) {
                return -Errno.EBADF;
            }
            if (offset < 0 || size > exchange.requestBytes() - Request.WRITE_BYTES) {
                return -Errno.EINVAL;
            }
            int flags = h.isAppend() && (q.u32(20) & WRITE_CACHE) == 0 ? FileData.RWF_APPEND : 0;
            int done = write(exchange, h, offset, (int) size, flags);
            if (c.tap.isOpen()) {
                h.moved(0, Math.max(0, done));
            }
            if (done >= 0 && (q.u32(20) & WRITE_KILL_SUIDGID) != 0) {
                inodes.dropSetId(h.node(), h.fd());
            }
            return done < 0 ? done : written(done);
        } finally {
            c.nodes.release(h, host);
        }
    }

    private int write(FuseExchange exchange, Handle h, long offset, int size, int flags) {
        int done = 0;
        while (done < size) {
            vector.clear();
            int n = exchange.requestPieces(Request.WRITE_BYTES + done, size - done, vector);
            if (n <= 0) {
                break;
            }
            long r = data.pwritev(h.fd(), vector, offset + done, flags);
            if (r <= 0) {
                return done > 0 ? done : (int) r;
            }
            done += (int) r;
            if (r < n) {
                break;
            }
        }
        return done;
    }

    private int written(int bytes) {
        q.body().set(JAVA_INT_UNALIGNED, 0, bytes);
        q.body().set(JAVA_INT_UNALIGNED, 4, 0);
        return 8;
    }

    /** close(2) of one of the descriptors in the guest: what a file system reports only then is asked by closing one of ours. */
    int flush() {
        Handle h = file(0);
        if (h == null) {
            return -Errno.EBADF;
        }
        try {
            if (!h.isWritable()) {
                return 0;
            }
            int fd = posix.dup(h.fd());
            return fd < 0 ? 0 : posix.close(fd);
        } finally {
            c.nodes.release(h, host);
        }
    }

    /** struct fuse_release_in: fh 0. */
    int release() {
        if (q.u64(0) == HostEventOps.NO_HANDLE) {
            return 0;
        }
        return c.handles.close(q.u64(0), host) ? 0 : -Errno.EBADF;
    }

    /** struct fuse_fsync_in: fh 0, fsync_flags 8. */
    int fsync() {
        Handle h = file(0);
        if (h == null) {
            return -Errno.EBADF;
        }
        try {
            return (q.u32(8) & FSYNC_FDATASYNC) != 0 ? data.fdatasync(h.fd()) : data.fsync(h.fd());
        } finally {
            c.nodes.release(h, host);
        }
    }

    /** struct fuse_fallocate_in: fh 0, offset 8, length 16, mode 24. */
    int fallocate() {
        Handle h = file(0);
        if (h == null) {
            return -Errno.EBADF;
        }
        try {
            int mode = q.u32(24);
            if ((mode & ~FALLOCATE_MODES) != 0) {
                return -Errno.EOPNOTSUPP;
            }
            int r = data.fallocate(h.fd(), mode, q.u64(8), q.u64(16));
            return r == 0 ? 0 : r;
        } finally {
            c.nodes.release(h, host);
        }
    }

    /** struct fuse_lseek_in: fh 0, offset 8, whence 16. struct fuse_lseek_out: offset 0. */
    int lseek() {
        Handle h = file(0);
        if (h == null) {
            return -Errno.EBADF;
        }
        try {
            int whence = q.u32(16);
            if (whence != SEEK_DATA && whence != SEEK_HOLE) {
                return -Errno.EINVAL; // the others are the guest's own
            }
            long r = posix.lseek(h.fd(), q.u64(8), whence); // every read and write says its offset, so it moves nothing
            if (r < 0) {
                return (int) r;
            }
            q.body().set(JAVA_LONG_UNALIGNED, 0, r);
            return 8;
        } finally {
            c.nodes.release(h, host);
        }
    }

    /** struct fuse_copy_file_range_in: fh_in 0, off_in 8, nodeid_out 16, fh_out 24, off_out 32, len 40, flags 48. */
    int copyFileRange() {
        Handle from = file(0);
        if (from == null) {
            return -Errno.EBADF;
        }
        Handle to = file(24);
        try {
            if (to == null || !to.isWritable()) {
                return -Errno.EBADF;
            }
            if (q.u64(48) != 0) {
                return -Errno.EINVAL;
            }
            long n = Long.compareUnsigned(q.u64(40), MAX_COPY_BYTES) > 0 ? MAX_COPY_BYTES : q.u64(40);
            long r = data.copyFileRange(from.fd(), q.u64(8), to.fd(), q.u64(32), n);
            if (c.tap.isOpen()) {
                from.moved(Math.max(0, r), 0);
                to.moved(0, Math.max(0, r));
            }
            return r < 0 ? (int) r : written((int) r);
        } finally {
            c.nodes.release(from, host);
            if (to != null) {
                c.nodes.release(to, host);
            }
        }
    }

    /** The regular file whose handle is at {@code at}; null if there is none. */
    private @Nullable Handle file(int at) {
        Handle h = c.handles.use(q.u64(at));
        if (h != null && !h.node().isRegular()) {
            c.nodes.release(h, host);
            return null;
        }
        return h;
    }
}
