package dev.longshore.fileshare.fuse;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;

import dev.longshore.fileshare.os.Open;
import dev.longshore.fileshare.os.Posix;
import dev.longshore.fileshare.os.Stat;
import dev.longshore.fileshare.share.Handle;
import dev.longshore.fileshare.share.Host;
import dev.longshore.fileshare.share.Node;
import dev.longshore.fileshare.share.OwnChanges;
import dev.longshore.fileshare.share.SharedFolders;
import dev.longshore.fileshare.share.VirtualDirectory;
import dev.longshore.fileshare.share.Withheld;
import dev.longshore.linux.Errno;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * Operations on names in directories. Each returns the bytes of its reply's body or a negated errno. Confined to its thread.
 */
@SuppressWarnings("ReferenceEquality") // a node is itself and nothing equals it
final class NameOps {
    private static final int RENAME_NOREPLACE = 1;
    private static final int RENAME_EXCHANGE = 2;

    /** O_APPEND is ours to do at each write, O_DIRECT would need aligned memory, O_NOATIME ownership. */
    private static final int OPEN_FLAGS = Open.O_ACCMODE | Open.O_TRUNC | Open.O_SYNC;

    private static final int PERMISSIONS = 0xFFF;

    private final Context c;
    private final Host host;
    private final Posix posix;
    private final Request q;

    NameOps(Context c) {
        this.c = c;
        this.host = c.host;
        this.posix = c.host.posix;
        this.q = c.request;
    }

    // ---- looking up and forgetting

    int lookup() {
        Node parent = c.nodes.find(q.nodeId());
        if (parent == null) {
            return -Errno.ESTALE;
        }
        int r = q.checkName(0);
        if (r < 0) {
            return r;
        }
        MemorySegment name = q.text(0);
        int length = q.nameLength();
        if (parent instanceof VirtualDirectory v) {
            return lookupVirtual(v, name.asSlice(0, length).toArray(JAVA_BYTE));
        }
        if (!parent.isDirectory()) {
            return -Errno.ENOTDIR;
        }
        Node mask = c.withheld.mask(parent, name, length);
        if (mask != null) {
            return entry(parent, mask);
        }
        int fd = c.nodes.acquire(parent, host);
        if (fd < 0) {
            return fd;
        }
        try {
            r = posix.statx(fd, name, host.stat);
            if (r == -Errno.ENOENT && c.times.absence() > 0) {
                return Attributes.writeAbsence(q.body(), c.times.absence());
            }
            return r < 0 ? r : enter(parent, fd, name, length);
        } finally {
            c.nodes.release(parent, host);
        }
    }

    private int lookupVirtual(VirtualDirectory parent, byte[] name) {
        Node n = c.folders.lookup(parent, name, host);
        return n == null ? -Errno.ENOENT : entry(parent, n);
    }

    /** Of a node that is there for good or is looked at only now. */
    private int entry(Node parent, Node n) {
        int r = c.nodes.stat(n, host, host.stat);
        if (r < 0) {
            return r;
        }
        c.writeEntry(0, parent, n, host.stat);
        return Attributes.ENTRY_BYTES;
    }

    /** {@code host.stat} is of the file {@code name} in {@code parent}, which is open as {@code parentFd}. */
    int enter(Node parent, int parentFd, MemorySegment name, int length) {
        Node mask = c.withheld.mask(host.stat);
        if (mask != null) {
            return entry(parent, mask);
        }
        Node n = c.nodes.enter(host.stat, parent, name, length);
        if (n == null) {
            return -Errno.ENOMEM;
        }
        c.owners.applyByName(n, parentFd, host.stat, host);
        c.writeEntry(0, parent, n, host.stat);
        return Attributes.ENTRY_BYTES;
    }

    int forget() {
        if (q.has(8)) {
            c.nodes.forget(q.nodeId(), q.u64(0), host);
        }
        return 0;
    }

    /** struct fuse_batch_forget_in: count 0, dummy 4; then nodeid, nlookup for each. */
    int batchForget() {
        int n = (int) Math.min(q.u32(0) & 0xFFFF_FFFFL, (q.argumentBytes() - 8) / 16);
        for (int i = 0; i < n; i++) {
            c.nodes.forget(q.u64(8 + 16 * i), q.u64(16 + 16 * i), host);
        }
        return 0;
    }

    // ---- making

    /** What a new file is, besides its name. */
    private interface Maker {
        /** In the caller's name; 0 or more, or a negated errno. */
        int make(int parentFd, MemorySegment name, int mode);
    }

    /** struct fuse_mknod_in: mode 0, rdev 4, umask 8, padding 12; the name. */
    int mknod() {
        int mode = q.u32(0);
        int device = q.u32(4);
        int kind = mode & Stat.S_IFMT;
        boolean isDevice = kind == Stat.S_IFBLK || kind == Stat.S_IFCHR;
        if (!isDevice && kind != Stat.S_IFREG && kind != Stat.S_IFIFO && kind != Stat.S_IFSOCK) {
            return -Errno.EINVAL;
        }
        if (isDevice) { // a real one would be the host's as well
            return make(
                    16,
                    mode,
                    kind,
                    device,
                    (fd, name, hostMode) -> posix.mknodat(fd, name, Stat.S_IFREG | hostMode, 0));
        }
        return make(16, mode, 0, 0, (fd, name, hostMode) -> posix.mknodat(fd, name, kind | hostMode, 0));
    }

    /** struct fuse_mkdir_in: mode 0, umask 4; the name. */
    int mkdir() {
        return make(8, (q.u32(0) & PERMISSIONS) | Stat.S_IFDIR, 0, 0, posix::mkdirat);
    }

    /** The name, what it leads to. */
    int symlink() {
        int first = q.textLength(0);
        if (first < 0) {
            return -Errno.EINVAL;
        }
        int second = q.textLength(first + 1);
        if (second < 0) {
            return -Errno.EINVAL;
        }
        if (second >= Posix.MAX_PATH_BYTES) {
            return -Errno.ENAMETOOLONG;
        }
        MemorySegment target = q.text(first + 1);
        return make(0, Stat.S_IFLNK | 0x1FF, 0, 0, (fd, name, _) -> posix.symlinkat(target, fd, name));
    }

    private int make(int nameAt, int mode, int kind, int device, Maker maker) {
        Node parent = directory(nameAt);
        if (parent == null) {
            return problem;
        }
        MemorySegment name = q.text(nameAt);
        int length = q.nameLength();
        int refusal = refusal(parent, name, length, (mode & Stat.S_IFMT) == Stat.S_IFDIR);
        if (refusal < 0) {
            return refusal;
        }
        int fd = c.nodes.acquire(parent, host);
        if (fd < 0) {
            return fd;
        }
        try {
            c.own.begin(parent, name, length, OwnChanges.Name.CREATED);
            int r = makeInName(fd, name, mode, maker);
            if (r < 0) {
                c.own.withdraw(parent, name, length, OwnChanges.Name.CREATED);
                return r;
            }
            r = posix.statx(fd, name, host.stat);
            if (r < 0) {
                return r;
            }
            if (!c.owners.areOfHost() || kind != 0) {
                r = own(parent, fd, name, mode, kind, device);
                if (r < 0) {
                    posix.unlinkat(fd, name, (mode & Stat.S_IFMT) == Stat.S_IFDIR ? Open.AT_REMOVEDIR : 0);
                    return r;
                }
            }
            return enter(parent, fd, name, length);
        } finally {
            c.nodes.release(parent, host);
        }
    }

    private int makeInName(int fd, MemorySegment name, int mode, Maker maker) {
        int hostMode = c.owners.hostMode(mode, (mode & Stat.S_IFMT) == Stat.S_IFDIR);
        if (!c.owners.areOfHost()) {
            return maker.make(fd, name, hostMode);
        }
        c.credentials.become(q.uid(), q.gid(), q.inGroup(), q.group());
        try {
            return maker.make(fd, name, hostMode);
        } finally {
            c.credentials.restore();
        }
    }

    /** The new file is its maker's, as far as the host's inode does not say so. {@code host.stat} tells of it, then and now. */
    private int own(Node parent, int parentFd, MemorySegment name, int mode, int kind, int device) {
        int fd = posix.openBeneath(parentFd, name, Open.O_PATH | Open.O_NOFOLLOW | Open.O_CLOEXEC, 0);
        if (fd < 0) {
            return fd;
        }
        try {
            return own(parent, parentFd, fd, mode, kind, device);
        } finally {
            posix.close(fd);
        }
    }

    private int own(Node parent, int parentFd, int fd, int mode, int kind, int device) {
        if (c.owners.areOfHost()) {
            int set = c.owners.setKind(fd, host.stat, kind, Attributes.major(device), Attributes.minor(device), host);
            return set < 0 ? set : posix.statx(fd, host.stat);
        }
        int gid = q.gid();
        int permissions = mode & PERMISSIONS;
        int r = posix.statx(parentFd, host.otherStat);
        if (r < 0) {
            return r;
        }
        c.owners.apply(parent, parentFd, host.otherStat, host);
        if ((host.otherStat.mode() & Stat.S_ISGID) != 0) { // inode_init_owner: Linux fs/inode.c
            gid = host.otherStat.gid();
            if (host.stat.isDirectory()) {
                permissions |= Stat.S_ISGID;
            }
        }
        r = c.owners.set(
                null,
                fd,
                host.stat,
                q.uid(),
                gid,
                permissions,
                kind,
                Attributes.major(device),
                Attributes.minor(device),
                host);
        return r < 0 ? r : posix.statx(fd, host.stat);
    }

    /** struct fuse_link_in: oldnodeid 0; the new name. */
    int link() {
        Node parent = directory(8);
        if (parent == null) {
            return problem;
        }
        Node node = c.nodes.find(q.u64(0));
        if (node == null) {
            return -Errno.ESTALE;
        }
        if (node instanceof VirtualDirectory || !SharedFolders.together(node, parent)) {
            return -Errno.EXDEV;
        }
        MemorySegment name = q.text(8);
        int length = q.nameLength();
        int refusal = refusal(parent, name, length, false);
        if (refusal < 0) {
            return refusal;
        }
        int parentFd = c.nodes.acquire(parent, host);
        if (parentFd < 0) {
            return parentFd;
        }
        int fd = c.nodes.acquire(node, host);
        try {
            if (fd < 0) {
                return fd;
            }
            c.own.begin(parent, name, length, OwnChanges.Name.CREATED);
            int r = posix.link(fd, parentFd, name);
            if (r < 0) {
                c.own.withdraw(parent, name, length, OwnChanges.Name.CREATED);
                return r;
            }
            r = posix.statx(parentFd, name, host.stat);
            return r < 0 ? r : enter(parent, parentFd, name, length);
        } finally {
            if (fd >= 0) {
                c.nodes.release(node, host);
            }
            c.nodes.release(parent, host);
        }
    }

    // ---- making and opening

    /** struct fuse_create_in: flags 0, mode 4, umask 8, open_flags 12; the name. */
    int create() {
        Node parent = directory(16);
        if (parent == null) {
            return problem;
        }
        int flags = q.u32(0);
        int mode = (q.u32(4) & PERMISSIONS) | Stat.S_IFREG;
        MemorySegment name = q.text(16);
        int length = q.nameLength();
        int refusal = refusal(parent, name, length, false);
        if (refusal < 0) {
            return refusal;
        }
        int parentFd = c.nodes.acquire(parent, host);
        if (parentFd < 0) {
            return parentFd;
        }
        try {
            c.own.begin(parent, name, length, OwnChanges.Name.CREATED);
            int hostFlags = (flags & OPEN_FLAGS) | Open.O_CREAT | Open.O_EXCL | Open.O_NOFOLLOW | Open.O_CLOEXEC;
            int fd = makeInName(
                    parentFd, name, mode, (dir, n, hostMode) -> posix.openBeneath(dir, n, hostFlags, hostMode));
            if (fd < 0) {
                c.own.withdraw(parent, name, length, OwnChanges.Name.CREATED);
            }
            if (fd == -Errno.EEXIST && (flags & Open.O_EXCL) == 0) {
                return openExisting(parent, parentFd, name, length, flags);
            }
            if (fd < 0) {
                return fd;
            }
            int r = posix.statx(fd, host.stat);
            if (r == 0 && !c.owners.areOfHost()) {
                r = own(parent, parentFd, fd, mode, 0, 0);
            }
            if (r < 0) {
                posix.close(fd);
                posix.unlinkat(parentFd, name, 0);
                return r;
            }
            return entered(parent, name, length, fd, flags);
        } finally {
            c.nodes.release(parent, host);
        }
    }

    /** Somebody on the host was faster. */
    private int openExisting(Node parent, int parentFd, MemorySegment name, int length, int flags) {
        int path = posix.openBeneath(parentFd, name, Open.O_PATH | Open.O_NOFOLLOW | Open.O_CLOEXEC, 0);
        if (path < 0) {
            return path;
        }
        try {
            int r = posix.statx(path, host.stat);
            if (r < 0) {
                return r;
            }
            if (host.stat.type() != Stat.S_IFREG) {
                return -Errno.ESTALE; // the guest looks it up again and goes on from there
            }
            int fd = posix.reopen(path, (flags & OPEN_FLAGS) | Open.O_CLOEXEC);
            if (fd < 0) {
                return fd;
            }
            return entered(parent, name, length, fd, flags);
        } finally {
            posix.close(path);
        }
    }

    /** {@code fd} is the regular file that {@code host.stat} tells of; struct fuse_entry_out, struct fuse_open_out. */
    private int entered(Node parent, MemorySegment name, int length, int fd, int flags) {
        Node n = c.nodes.enter(host.stat, parent, name, length);
        if (n == null) {
            posix.close(fd);
            return -Errno.ENOMEM;
        }
        Handle h = c.handles.open(n, fd, (flags & Open.O_APPEND) != 0, (flags & Open.O_ACCMODE) != Open.O_RDONLY);
        if (h == null) {
            posix.close(fd);
            c.nodes.forget(n.id(), 1, host);
            return -Errno.ENFILE;
        }
        c.owners.apply(n, fd, host.stat, host);
        c.writeEntry(0, parent, n, host.stat);
        q.body().set(JAVA_LONG_UNALIGNED, Attributes.ENTRY_BYTES, h.id());
        q.body().set(JAVA_INT_UNALIGNED, Attributes.ENTRY_BYTES + 8, FileOps.openFlags(fd, flags, host));
        q.body().set(JAVA_INT_UNALIGNED, Attributes.ENTRY_BYTES + 12, 0);
        return Attributes.ENTRY_BYTES + 16;
    }

    /** As CREATE, without a name. */
    int tmpfile() {
        Node parent = writableDirectory(q.nodeId());
        if (parent == null) {
            return problem;
        }
        int flags = q.u32(0);
        int mode = (q.u32(4) & PERMISSIONS) | Stat.S_IFREG;
        int parentFd = c.nodes.acquire(parent, host);
        if (parentFd < 0) {
            return parentFd;
        }
        try {
            int hostFlags = (flags & (Open.O_ACCMODE | Open.O_SYNC | Open.O_EXCL)) | Open.O_TMPFILE | Open.O_CLOEXEC;
            MemorySegment here = posix.name(HERE);
            int fd = makeInName(
                    parentFd, here, mode, (dir, n, hostMode) -> posix.openBeneath(dir, n, hostFlags, hostMode));
            if (fd < 0) {
                return fd;
            }
            int r = posix.statx(fd, host.stat);
            if (r == 0 && !c.owners.areOfHost()) {
                r = own(parent, parentFd, fd, mode, 0, 0);
            }
            if (r < 0) {
                posix.close(fd);
                return r;
            }
            return entered(parent, here, 0, fd, flags);
        } finally {
            c.nodes.release(parent, host);
        }
    }

    private static final byte[] HERE = {'.'};

    // ---- removing and moving

    int unlink() {
        return remove(0);
    }

    int rmdir() {
        return remove(Open.AT_REMOVEDIR);
    }

    private int remove(int flags) {
        Node parent = directory(0);
        if (parent == null) {
            return problem;
        }
        MemorySegment name = q.text(0);
        if (c.withheld.place(parent, name, q.nameLength()) != Withheld.Place.FREE) {
            return -Errno.EBUSY; // as a mount point
        }
        int fd = c.nodes.acquire(parent, host);
        if (fd < 0) {
            return fd;
        }
        Node node = null;
        try {
            int r = posix.statx(fd, name, host.stat);
            if (r < 0) {
                return r; // what somebody puts here from now on has not been looked at
            }
            if (c.withheld.isFixed(host.stat)) {
                return -Errno.EBUSY;
            }
            node = losing(fd, name, host.stat);
            c.own.begin(parent, name, q.nameLength(), OwnChanges.Name.GONE);
            r = posix.unlinkat(fd, name, flags);
            if (r == 0) {
                lost(node, host.stat);
            } else {
                c.own.withdraw(parent, name, q.nameLength(), OwnChanges.Name.GONE);
            }
            return r;
        } finally {
            if (node != null) {
                c.nodes.release(node, host);
            }
            c.nodes.release(parent, host);
        }
    }

    /** The node, acquired, of the file that {@code stat} tells of, which is {@code name}; null if the guest knows none. */
    private @Nullable Node losing(int dirFd, MemorySegment name, Stat stat) {
        Node n = c.nodes.find(stat);
        return n != null && c.nodes.acquire(n, dirFd, name, host) >= 0 ? n : null;
    }

    private void lost(@Nullable Node node, Stat stat) {
        if (stat.links() <= 1 || stat.isDirectory()) {
            c.owners.gone(stat);
        }
        if (node != null) {
            c.nodes.keepOpen(node);
        }
    }

    /** struct fuse_rename_in: newdir 0; the old name, the new name. */
    int rename() {
        return rename(8, 0);
    }

    /** struct fuse_rename2_in: newdir 0, flags 8, padding 12; the old name, the new name. */
    int rename2() {
        int flags = q.u32(8);
        if ((flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE)) != 0) {
            return -Errno.EINVAL;
        }
        return rename(16, flags);
    }

    private int rename(int namesAt, int flags) {
        Node from = directory(namesAt);
        if (from == null) {
            return problem;
        }
        MemorySegment oldName = q.text(namesAt);
        int oldLength = q.nameLength();
        int newAt = namesAt + oldLength + 1;
        Node to = directory(q.u64(0), newAt);
        if (to == null) {
            return problem;
        }
        if (!SharedFolders.together(from, to)) {
            return -Errno.EXDEV;
        }
        if (c.withheld.place(from, oldName, oldLength) != Withheld.Place.FREE
                || c.withheld.place(to, q.text(newAt), q.nameLength()) != Withheld.Place.FREE) {
            return -Errno.EBUSY; // as mount points
        }
        int fromFd = c.nodes.acquire(from, host);
        if (fromFd < 0) {
            return fromFd;
        }
        int toFd = c.nodes.acquire(to, host);
        if (toFd < 0) {
            c.nodes.release(from, host);
            return toFd;
        }
        Node moved = null;
        Node target = null;
        try {
            MemorySegment newName = q.text(newAt);
            int r = posix.statx(fromFd, oldName, host.stat);
            int there = posix.statx(toFd, newName, host.otherStat);
            if (r < 0 || (there < 0 && there != -Errno.ENOENT)) {
                return r < 0 ? r : there; // what somebody puts there from now on has not been looked at
            }
            if (c.withheld.isFixed(host.stat) || (there == 0 && c.withheld.isFixed(host.otherStat))) {
                return -Errno.EBUSY;
            }
            moved = losing(fromFd, oldName, host.stat);
            target = there == 0 ? losing(toFd, newName, host.otherStat) : null;
            boolean exchanged = (flags & RENAME_EXCHANGE) != 0;
            own(from, oldName, oldLength, to, newName, exchanged, true);
            r = posix.renameat2(fromFd, oldName, toFd, newName, flags);
            if (r < 0) {
                own(from, oldName, oldLength, to, newName, exchanged, false);
                return r;
            }
            if (moved != null && !moved.equals(target)) {
                c.nodes.moved(moved, to, newName, q.nameLength());
            }
            if (exchanged && target != null && moved != target) {
                c.nodes.moved(target, from, oldName, oldLength);
            } else if (!exchanged && there == 0 && host.otherStat.ino() != host.stat.ino()) {
                lost(target, host.otherStat);
            }
            return 0;
        } finally {
            if (moved != null) {
                c.nodes.release(moved, host);
            }
            if (target != null) {
                c.nodes.release(target, host);
            }
            c.nodes.release(to, host);
            c.nodes.release(from, host);
        }
    }

    /** An exchange is two moves to those who watch. */
    private void own(
            Node from,
            MemorySegment name,
            int length,
            Node to,
            MemorySegment newName,
            boolean exchange,
            boolean begin) {
        own(from, name, length, OwnChanges.Name.MOVED_FROM, begin);
        own(to, newName, q.nameLength(), OwnChanges.Name.MOVED_TO, begin);
        if (exchange) {
            own(to, newName, q.nameLength(), OwnChanges.Name.MOVED_FROM, begin);
            own(from, name, length, OwnChanges.Name.MOVED_TO, begin);
        }
    }

    private void own(Node directory, MemorySegment name, int length, OwnChanges.Name what, boolean begin) {
        if (begin) {
            c.own.begin(directory, name, length, what);
        } else {
            c.own.withdraw(directory, name, length, what);
        }
    }

    /** Why nothing of that name may be made, but for what is on the way to a withheld directory, which may be made as a directory; or 0. */
    private int refusal(Node parent, MemorySegment name, int length, boolean directory) {
        return switch (c.withheld.place(parent, name, length)) {
            case FREE -> 0;
            case PASSAGE -> directory ? 0 : -Errno.EACCES;
            case WITHHELD -> -Errno.EEXIST;
        };
    }

    // ---- where

    /** Why there is no directory. */
    private int problem;

    /** The request's node if it is a directory in which the name at {@code nameAt} may be made or removed; else see {@link #problem}. */
    private @Nullable Node directory(int nameAt) {
        return directory(q.nodeId(), nameAt);
    }

    private @Nullable Node directory(long id, int nameAt) {
        Node n = writableDirectory(id);
        if (n == null) {
            return null;
        }
        problem = q.checkName(nameAt);
        return problem < 0 ? null : n;
    }

    private @Nullable Node writableDirectory(long id) {
        Node n = c.nodes.find(id);
        problem = n == null
                ? -Errno.ESTALE
                : !n.isDirectory()
                        ? -Errno.ENOTDIR
                        : n instanceof VirtualDirectory || SharedFolders.isReadOnly(n) ? -Errno.EROFS : 0;
        return problem < 0 ? null : n;
    }
}
