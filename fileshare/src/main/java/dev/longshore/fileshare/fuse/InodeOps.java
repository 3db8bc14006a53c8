package dev.longshore.fileshare.fuse;

import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;

import dev.longshore.fileshare.os.Open;
import dev.longshore.fileshare.os.Posix;
import dev.longshore.fileshare.os.Stat;
import dev.longshore.fileshare.share.Handle;
import dev.longshore.fileshare.share.Host;
import dev.longshore.fileshare.share.Node;
import dev.longshore.fileshare.share.SharedFolders;
import dev.longshore.fileshare.share.VirtualDirectory;
import dev.longshore.linux.Errno;
import java.lang.foreign.MemorySegment;

/**
 * Operations on inodes: attributes and links. Each returns the bytes of its reply's body or a negated errno. Confined to its
 * thread.
 */
@SuppressWarnings("ReferenceEquality") // a node is itself and nothing equals it
final class InodeOps {
    private static final int GETATTR_FH = 1;

    static final int FATTR_MODE = 1;
    static final int FATTR_UID = 1 << 1;
    static final int FATTR_GID = 1 << 2;
    static final int FATTR_SIZE = 1 << 3;
    static final int FATTR_ATIME = 1 << 4;
    static final int FATTR_MTIME = 1 << 5;
    private static final int FATTR_FH = 1 << 6;
    private static final int FATTR_ATIME_NOW = 1 << 7;
    private static final int FATTR_MTIME_NOW = 1 << 8;
    private static final int FATTR_LOCKOWNER = 1 << 9;
    private static final int FATTR_KILL_SUIDGID = 1 << 11;

    private static final int PERMISSIONS = 0xFFF;
    private static final int KSTATFS_BYTES = 80;

    private final Context c;
    private final Host host;
    private final Posix posix;
    private final Request q;

    InodeOps(Context c) {
        this.c = c;
        this.host = c.host;
        this.posix = c.host.posix;
        this.q = c.request;
    }

    // ---- attributes

    /** struct fuse_getattr_in: getattr_flags 0, dummy 4, fh 8. */
    int getattr() {
        return attributes(false);
    }

    /** struct fuse_statx_in: getattr_flags 0, reserved 4, fh 8, sx_flags 16, sx_mask 20. */
    int statx() {
        return attributes(true);
    }

    private int attributes(boolean statx) {
        Node n = c.nodes.find(q.nodeId());
        if (n == null) {
            return -Errno.ESTALE;
        }
        int r = (q.u32(0) & GETATTR_FH) != 0 ? statOfHandle(n, q.u64(8)) : c.nodes.stat(n, host, host.stat);
        if (r < 0) {
            return r;
        }
        return statx ? writeStatx(n) : writeAttr(n);
    }

    private int statOfHandle(Node n, long fh) {
        Handle h = c.handles.use(fh);
        if (h == null || h.node() != n || h.isVirtual()) {
            if (h != null) {
                c.nodes.release(h, host);
            }
            return c.nodes.stat(n, host, host.stat);
        }
        int r = posix.statx(h.fd(), host.stat);
        if (r == 0) {
            c.owners.apply(n, h.fd(), host.stat, host);
        }
        c.nodes.release(h, host);
        return r;
    }

    private int writeAttr(Node n) {
        c.attributesFor(n, host.stat);
        return Attributes.writeAttr(q.body(), c.attributeNanos(n, host.stat), host.stat, 0);
    }

    private int writeStatx(Node n) {
        c.attributesFor(n, host.stat);
        return Attributes.writeStatx(q.body(), c.attributeNanos(n, host.stat), host.stat);
    }

    /** The answer to a SETATTR that sets nothing. */
    int attributesNow() {
        Node n = c.nodes.find(q.nodeId());
        if (n == null) {
            return -Errno.ESTALE;
        }
        int r = c.nodes.stat(n, host, host.stat);
        return r < 0 ? r : writeAttr(n);
    }

    // ---- setting attributes

    /**
     * struct fuse_setattr_in: valid 0, padding 4, fh 8, size 16, lock_owner 24, atime 32, mtime 40, ctime 48, atimensec 56,
     * mtimensec 60, ctimensec 64, mode 68, unused 72, uid 76, gid 80.
     */
    int setattr() {
        if (!q.has(88)) {
            return -Errno.EINVAL;
        }
        Node n = c.nodes.find(q.nodeId());
        if (n == null) {
            return -Errno.ESTALE;
        }
        if (n instanceof VirtualDirectory || SharedFolders.isReadOnly(n)) {
            return -Errno.EROFS;
        }
        int fd = c.nodes.acquire(n, host);
        if (fd < 0) {
            return fd;
        }
        try {
            int valid = q.u32(0);
            int r = c.owners.areOfHost() ? setOwnerAndMode(fd, valid) : overrideOwnerAndMode(n, fd, valid);
            if (r == 0 && (valid & FATTR_SIZE) != 0) {
                r = truncate(n, fd, valid);
            }
            if (r == 0 && (valid & ~(FATTR_FH | FATTR_LOCKOWNER)) == 0 && n.isRegular()) {
                // What is left of ATTR_KILL_SUID before fallocate(2) and the like: fuse_setattr, Linux fs/fuse/dir.c.
                r = dropSetId(n, fd);
            }
            if (r == 0 && (valid & (FATTR_ATIME | FATTR_MTIME)) != 0) {
                r = setTimes(fd, valid);
            }
            if (r == 0) {
                r = posix.statx(fd, host.stat);
            }
            if (r < 0) {
                return r;
            }
            c.owners.apply(n, fd, host.stat, host);
            return writeAttr(n);
        } finally {
            c.nodes.release(n, host);
        }
    }

    private int setOwnerAndMode(int fd, int valid) {
        int r = 0;
        if ((valid & (FATTR_UID | FATTR_GID)) != 0) {
            r = posix.chown(fd, (valid & FATTR_UID) != 0 ? q.u32(76) : -1, (valid & FATTR_GID) != 0 ? q.u32(80) : -1);
        }
        if (r == 0 && (valid & FATTR_MODE) != 0) {
            r = posix.chmod(fd, q.u32(68) & PERMISSIONS);
        }
        return r;
    }

    private int overrideOwnerAndMode(Node n, int fd, int valid) {
        if ((valid & (FATTR_UID | FATTR_GID | FATTR_MODE)) == 0) {
            return 0;
        }
        Stat raw = host.stat;
        Stat told = host.otherStat;
        int r = posix.statx(fd, raw);
        if (r < 0) {
            return r;
        }
        MemorySegment.copy(raw.memory(), 0, told.memory(), 0, Stat.BYTES);
        c.owners.apply(n, fd, told, host);
        int mode = told.mode() & PERMISSIONS;
        boolean owner = (valid & (FATTR_UID | FATTR_GID)) != 0;
        if ((valid & FATTR_MODE) != 0) {
            if (raw.type() == Stat.S_IFLNK) {
                return -Errno.EOPNOTSUPP;
            }
            mode = q.u32(68) & PERMISSIONS;
        } else if (owner && !raw.isDirectory()) {
            mode = withoutSetId(mode);
        }
        return setOverride(
                n,
                fd,
                (valid & FATTR_UID) != 0 ? q.u32(76) : told.uid(),
                (valid & FATTR_GID) != 0 ? q.u32(80) : told.gid(),
                mode);
    }

    /**
     * {@code host.stat} is what the host says, {@code host.otherStat} what the guest was told. The host's mode follows as far as it
     * can; its inode's change time moves in any case.
     */
    private int setOverride(Node n, int fd, int uid, int gid, int mode) {
        Stat raw = host.stat;
        Stat told = host.otherStat;
        int r;
        if (raw.type() == Stat.S_IFLNK) {
            r = posix.utimens(fd, 0, Posix.UTIME_OMIT, raw.mtimeSeconds(), raw.mtimeNanos());
        } else {
            r = posix.chmod(fd, c.owners.hostMode(mode, raw.isDirectory()));
        }
        if (r == 0) {
            r = posix.statx(fd, raw);
        }
        if (r < 0) {
            return r;
        }
        int kind = told.type() == raw.type() ? 0 : told.type();
        return c.owners.set(n, fd, raw, uid, gid, mode, kind, told.deviceMajor(), told.deviceMinor(), host);
    }

    /** setattr_should_drop_suidgid, of whoever is in the file's group: Linux fs/attr.c. */
    private static int withoutSetId(int mode) {
        int m = mode & ~Stat.S_ISUID;
        return (m & Stat.GROUP_EXECUTE) != 0 ? m & ~Stat.S_ISGID : m;
    }

    /** The guest's kernel wants it, who knows who writes: the file open as {@code fd} loses its set-id bits. */
    int dropSetId(Node n, int fd) {
        int r = posix.statx(fd, host.stat);
        if (r < 0) {
            return r;
        }
        MemorySegment.copy(host.stat.memory(), 0, host.otherStat.memory(), 0, Stat.BYTES);
        c.owners.apply(n, fd, host.otherStat, host);
        int mode = host.otherStat.mode() & PERMISSIONS;
        int without = withoutSetId(mode);
        if (q.uid() != 0 && q.gid() != host.otherStat.gid()) {
            without &= ~Stat.S_ISGID; // that it may be in the group by another one of its groups is not known here
        }
        if (mode == without) {
            return 0;
        }
        return c.owners.areOfHost()
                ? posix.chmod(fd, without)
                : setOverride(n, fd, host.otherStat.uid(), host.otherStat.gid(), without);
    }

    private int truncate(Node n, int fd, int valid) {
        long size = q.u64(16);
        if (size < 0) {
            return -Errno.EINVAL;
        }
        if (!n.isRegular()) {
            return n.isDirectory() ? -Errno.EISDIR : -Errno.EINVAL;
        }
        int r = truncate(n, fd, valid, size);
        return r == 0 && (valid & FATTR_KILL_SUIDGID) != 0 ? dropSetId(n, fd) : r;
    }

    private int truncate(Node n, int fd, int valid, long size) {
        if ((valid & FATTR_FH) != 0) {
            Handle h = c.handles.use(q.u64(8));
            if (h != null) {
                try {
                    if (h.node() == n && h.isWritable()) {
                        return host.data.ftruncate(h.fd(), size);
                    }
                } finally {
                    c.nodes.release(h, host);
                }
            }
        }
        int file = posix.reopen(fd, Open.O_WRONLY | Open.O_CLOEXEC);
        if (file < 0) {
            return file;
        }
        int r = host.data.ftruncate(file, size);
        posix.close(file);
        return r;
    }

    private int setTimes(int fd, int valid) {
        long atimeNanos = (valid & FATTR_ATIME) == 0
                ? Posix.UTIME_OMIT
                : (valid & FATTR_ATIME_NOW) != 0 ? Posix.UTIME_NOW : q.u32(56) & 0xFFFF_FFFFL;
        long mtimeNanos = (valid & FATTR_MTIME) == 0
                ? Posix.UTIME_OMIT
                : (valid & FATTR_MTIME_NOW) != 0 ? Posix.UTIME_NOW : q.u32(60) & 0xFFFF_FFFFL;
        return posix.utimens(fd, q.u64(32), atimeNanos, q.u64(40), mtimeNanos);
    }

    // ---- the rest

    int readlink(FuseExchange exchange) {
        Node n = c.nodes.find(q.nodeId());
        if (n == null) {
            return -Errno.ESTALE;
        }
        if (n.type() != Stat.S_IFLNK) {
            return -Errno.EINVAL;
        }
        int fd = c.nodes.acquire(n, host);
        if (fd < 0) {
            return fd;
        }
        int r = posix.readlink(fd, q.body(), Math.min(q.bodyRoom(exchange), Posix.MAX_PATH_BYTES - 1));
        c.nodes.release(n, host);
        return r;
    }

    /** struct fuse_kstatfs: blocks 0, bfree 8, bavail 16, files 24, ffree 32, bsize 40, namelen 44, frsize 48, padding, spare. */
    int statfs() {
        Node n = c.nodes.find(q.nodeId());
        if (n == null) {
            return -Errno.ESTALE;
        }
        MemorySegment body = q.body();
        body.asSlice(0, KSTATFS_BYTES).fill((byte) 0);
        body.set(JAVA_INT_UNALIGNED, 40, 4096);
        body.set(JAVA_INT_UNALIGNED, 44, Posix.MAX_NAME_BYTES);
        body.set(JAVA_INT_UNALIGNED, 48, 4096);
        if (n instanceof VirtualDirectory) {
            return KSTATFS_BYTES;
        }
        int fd = c.nodes.acquire(n, host);
        if (fd < 0) {
            return fd;
        }
        MemorySegment statfs = host.statfs;
        int r = posix.fstatfs(fd, statfs);
        c.nodes.release(n, host);
        if (r < 0) {
            return r;
        }
        MemorySegment.copy(statfs, 16, body, 0, 40); // blocks, bfree, bavail, files, ffree
        body.set(JAVA_INT_UNALIGNED, 40, (int) statfs.get(JAVA_LONG_UNALIGNED, 8));
        body.set(JAVA_INT_UNALIGNED, 44, (int) statfs.get(JAVA_LONG_UNALIGNED, 64));
        body.set(JAVA_INT_UNALIGNED, 48, (int) statfs.get(JAVA_LONG_UNALIGNED, 72));
        return KSTATFS_BYTES;
    }
}
