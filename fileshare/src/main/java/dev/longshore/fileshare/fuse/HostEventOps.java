package dev.longshore.fileshare.fuse;

import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;

import dev.longshore.fileshare.os.Open;
import dev.longshore.fileshare.os.Posix;
import dev.longshore.fileshare.os.Stat;
import dev.longshore.fileshare.share.Host;
import dev.longshore.fileshare.share.Node;
import dev.longshore.fileshare.share.SharedFolders;
import dev.longshore.fileshare.share.VirtualDirectory;
import dev.longshore.fileshare.share.Withheld;
import dev.longshore.linux.Errno;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * Has the guest's kernel tell its watchers (inotify) what somebody on the host did. Each returns the bytes of its reply's body or a
 * negated errno. Confined to its thread.
 *
 * <h2>Theory of operation</h2>
 *
 * virtio-fs has no way from the server to the watchers. But they hear of every system call in the guest. So the guest's agent does
 * again what was done on the host, by system calls under a reserved group, one for each kind of change; and requests of such a group never
 * change anything on the host: they are answered as if they had done what is so already. Before that the host is asked whether it is so. A
 * file that is there was "created" and one that is not was "removed"; anything else is refused.
 *
 * <p>The kernel wants a name to lead to nothing before it creates, and to something before it removes or moves. So {@code LOOKUP} of such
 * a group tells what was there before, as far as the guest knows it, and for what it never knew something that is no file of the host
 * ({@link dev.longshore.fileshare.share.NodeTable#enterGone}). None of that may be believed for any time: whoever asks next gets the truth.
 *
 * <p>A container whose process takes such a group (it needs CAP_SETGID) makes watchers believe what is so on the host anyway, and can change nothing.
 */
@SuppressWarnings("ReferenceEquality") // a node is itself and nothing equals it
final class HostEventOps {
    /** Up to {@code FIRST_GID + 7}: guest/agent.h, EVENT_GID. */
    static final int FIRST_GID = 0xFFFF_F000;

    static final int CREATED = FIRST_GID;
    static final int FILE_GONE = FIRST_GID + 1;
    static final int DIRECTORY_GONE = FIRST_GID + 2;
    static final int FILE_MOVED = FIRST_GID + 3;
    static final int DIRECTORY_MOVED = FIRST_GID + 4;
    static final int CHANGED = FIRST_GID + 5;
    static final int WRITTEN = FIRST_GID + 6;

    /** Of a file that was not opened on the host: no handle has it. */
    static final long NO_HANDLE = 0;

    private static final int FOPEN_KEEP_CACHE = 1 << 1;
    private static final int FOPEN_NOFLUSH = 1 << 5;

    private final Context c;
    private final Host host;
    private final Posix posix;
    private final Request q;
    private final NameOps names;
    private final InodeOps inodes;
    private final FileOps files;

    HostEventOps(Context c, NameOps names, InodeOps inodes, FileOps files) {
        this.c = c;
        this.host = c.host;
        this.posix = c.host.posix;
        this.q = c.request;
        this.names = names;
        this.inodes = inodes;
        this.files = files;
    }

    /** True for a group whose requests change nothing on the host. */
    static boolean isReserved(int gid) {
        return gid >= FIRST_GID && gid < FIRST_GID + 8; // both negative
    }

    /** True if such a group's request is not like everybody's. */
    static boolean concerns(int opcode) {
        return switch (opcode) {
            case Opcode.LOOKUP,
                    Opcode.SETATTR,
                    Opcode.SYMLINK,
                    Opcode.MKNOD,
                    Opcode.MKDIR,
                    Opcode.UNLINK,
                    Opcode.RMDIR,
                    Opcode.RENAME,
                    Opcode.RENAME2,
                    Opcode.LINK,
                    Opcode.OPEN,
                    Opcode.CREATE,
                    Opcode.TMPFILE,
                    Opcode.WRITE,
                    Opcode.SETXATTR,
                    Opcode.REMOVEXATTR,
                    Opcode.FALLOCATE,
                    Opcode.COPY_FILE_RANGE -> true;
            default -> false;
        };
    }

    int dispatch() {
        int gid = q.gid();
        return switch (q.opcode()) {
            case Opcode.LOOKUP -> lookup();
            case Opcode.SYMLINK -> gid == CREATED ? created(0) : -Errno.EPERM;
            case Opcode.MKNOD -> gid == CREATED ? created(16) : -Errno.EPERM;
            case Opcode.MKDIR -> gid == CREATED ? created(8) : -Errno.EPERM;
            case Opcode.UNLINK -> gid == FILE_GONE ? gone() : -Errno.EPERM;
            case Opcode.RMDIR -> gid == DIRECTORY_GONE ? gone() : -Errno.EPERM;
            case Opcode.RENAME -> isMove() ? moved(8) : -Errno.EPERM;
            case Opcode.RENAME2 -> isMove() && q.u32(8) == 0 ? moved(16) : -Errno.EPERM;
            case Opcode.SETATTR -> gid == CHANGED ? inodes.attributesNow() : -Errno.EPERM;
            case Opcode.OPEN -> open();
            default -> -Errno.EPERM;
        };
    }

    private boolean isMove() {
        return q.gid() == FILE_MOVED || q.gid() == DIRECTORY_MOVED;
    }

    // ---- what the kernel is to find before

    private int lookup() {
        Node parent = c.nodes.find(q.nodeId());
        boolean ordinary = parent == null
                || q.gid() > DIRECTORY_MOVED
                || parent instanceof VirtualDirectory
                || !parent.isDirectory()
                || q.checkName(0) < 0
                || c.withheld.place(parent, q.text(0), q.nameLength()) != Withheld.Place.FREE;
        if (parent == null || ordinary) {
            return names.lookup();
        }
        MemorySegment name = q.text(0);
        int length = q.nameLength();
        int r = statOf(parent, name);
        if (r < 0 && r != -Errno.ENOENT) {
            return r;
        }
        boolean there = r == 0;
        Node known = c.nodes.find(parent, name, length);
        boolean same = there && known != null && c.nodes.find(host.stat) == known;
        boolean knownDirectory = same && host.stat.isDirectory(); // containers may have mounted something on it
        if (q.gid() == CREATED || (isMove() && there && (known == null || same))) {
            return there && knownDirectory ? names.lookup() : Attributes.writeAbsence(q.body(), 0);
        }
        if (known != null && !same) {
            return entryOfBefore(parent, known);
        }
        return there ? names.lookup() : entryOfUnknown(parent);
    }

    /** Fills {@code host.stat}; 0 or a negated errno. */
    private int statOf(Node parent, MemorySegment name) {
        int fd = c.nodes.acquire(parent, host);
        if (fd < 0) {
            return fd;
        }
        int r = posix.statx(fd, name, host.stat);
        c.nodes.release(parent, host);
        return r;
    }

    /** What the guest knows the name to be, though it is that no more. */
    private int entryOfBefore(Node parent, Node known) {
        if (c.nodes.stat(known, host, host.stat) < 0) { // neither found nor open
            host.stat.unknown(known.ino(), known.type());
        }
        c.nodes.enterAgain(known);
        Attributes.writeEntry(q.body(), 0, known.id(), 0, 0, host.stat, Context.submount(parent, known));
        return Attributes.ENTRY_BYTES;
    }

    private int entryOfUnknown(Node parent) {
        boolean directory = q.gid() == DIRECTORY_GONE || q.gid() == DIRECTORY_MOVED;
        Node n = c.nodes.enterGone(parent, directory ? Stat.S_IFDIR : Stat.S_IFREG);
        if (n == null) {
            return -Errno.ENOMEM;
        }
        host.stat.unknown(n.id(), n.type());
        Attributes.writeEntry(q.body(), 0, n.id(), 0, 0, host.stat, 0);
        return Attributes.ENTRY_BYTES;
    }

    // ---- what was done

    /** The directory {@code id} in which something has happened to the name at {@code nameAt}; null and {@link #problem} if it is none. */
    private @Nullable Node directory(long id, int nameAt) {
        Node n = c.nodes.find(id);
        problem = n == null ? -Errno.ESTALE : !n.isDirectory() ? -Errno.ENOTDIR : q.checkName(nameAt);
        if (n == null || problem < 0) {
            return null;
        }
        if (n instanceof VirtualDirectory
                || c.withheld.place(n, q.text(nameAt), q.nameLength()) != Withheld.Place.FREE) {
            problem = -Errno.EACCES;
            return null;
        }
        return n;
    }

    private int problem;

    /** The name is there: the guest gets to know it as if it had made it. */
    private int created(int nameAt) {
        Node parent = directory(q.nodeId(), nameAt);
        if (parent == null) {
            return problem;
        }
        int fd = c.nodes.acquire(parent, host);
        if (fd < 0) {
            return fd;
        }
        try {
            int r = posix.statx(fd, q.text(nameAt), host.stat);
            return r < 0 ? r : names.enter(parent, fd, q.text(nameAt), q.nameLength());
        } finally {
            c.nodes.release(parent, host);
        }
    }

    /** The name leads to nothing, or to something else than the guest knows. */
    private int gone() {
        Node parent = directory(q.nodeId(), 0);
        if (parent == null) {
            return problem;
        }
        int r = statOf(parent, q.text(0));
        return r == -Errno.ENOENT ? 0 : r < 0 ? r : isReplaced(parent, q.text(0), q.nameLength()) ? 0 : -Errno.EBUSY;
    }

    /** {@code host.stat} tells of what is there now, which is not what the guest knows. */
    private boolean isReplaced(Node parent, MemorySegment name, int length) {
        Node known = c.nodes.find(parent, name, length);
        return known != null && c.nodes.find(host.stat) != known;
    }

    private int moved(int namesAt) {
        Node from = directory(q.nodeId(), namesAt);
        if (from == null) {
            return problem;
        }
        int oldLength = q.nameLength();
        int newAt = namesAt + oldLength + 1;
        Node to = directory(q.u64(0), newAt);
        if (to == null) {
            return problem;
        }
        if (!SharedFolders.together(from, to)) {
            return -Errno.EXDEV;
        }
        MemorySegment oldName = q.text(namesAt);
        MemorySegment newName = q.text(newAt);
        int newLength = q.nameLength();
        int r = statOf(from, oldName);
        if (r != -Errno.ENOENT && (r < 0 || !isReplaced(from, oldName, oldLength))) {
            return r < 0 ? r : -Errno.EBUSY;
        }
        r = statOf(to, newName);
        if (r < 0) {
            return r;
        }
        Node there = c.nodes.find(host.stat);
        if (there != null && host.stat.isDirectory() && there == c.nodes.find(to, newName, newLength)) {
            return -Errno.EBUSY; // the guest knows it there: its kernel would take it for the one that is replaced
        }
        Node moved = c.nodes.find(from, oldName, oldLength);
        if (moved != null && moved == c.nodes.find(host.stat)) {
            c.nodes.moved(moved, to, newName, newLength);
        }
        return 0;
    }

    /** For writing: as if it were open. The guest's kernel tells those who wait for files to be closed. */
    private int open() {
        int flags = q.u32(0);
        boolean writes = (flags & Open.O_ACCMODE) != Open.O_RDONLY;
        if ((flags & Open.O_TRUNC) != 0 || (writes && q.gid() != WRITTEN)) {
            return -Errno.EPERM;
        }
        if (!writes) {
            return files.open();
        }
        Node n = c.nodes.find(q.nodeId());
        if (n == null) {
            return -Errno.ESTALE;
        }
        if (!n.isRegular()) {
            return -Errno.ENXIO;
        }
        q.body().set(JAVA_LONG_UNALIGNED, 0, NO_HANDLE);
        q.body().set(JAVA_INT_UNALIGNED, 8, FOPEN_KEEP_CACHE | FOPEN_NOFLUSH);
        q.body().set(JAVA_INT_UNALIGNED, 12, 0);
        return 16;
    }
}
