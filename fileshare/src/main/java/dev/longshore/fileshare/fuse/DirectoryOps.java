package dev.longshore.fileshare.fuse;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;

import dev.longshore.fileshare.os.Open;
import dev.longshore.fileshare.os.Posix;
import dev.longshore.fileshare.share.Handle;
import dev.longshore.fileshare.share.Host;
import dev.longshore.fileshare.share.Node;
import dev.longshore.fileshare.share.VirtualDirectory;
import dev.longshore.linux.Errno;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Operations on open directories. Each returns the bytes of its reply's body or a negated errno. Confined to its thread.
 *
 * <pre>
 * struct linux_dirent64:     d_ino 0, d_off 8, d_reclen 16 (16 bits), d_type 18, d_name 19
 * struct fuse_dirent:        ino 0, off 8, namelen 16, type 20, name 24, padded to 8 bytes
 * struct fuse_direntplus:    fuse_entry_out 0, fuse_dirent 128
 * </pre>
 */
final class DirectoryOps {
    private static final int DIRENT_BYTES = 24;
    private static final int DT_DIR = 4;
    private static final int FSYNC_FDATASYNC = 1;
    static final int BUFFER_BYTES = 1 << 15;

    /** The least that getdents takes for one name of 255 bytes. */
    private static final int LEAST_READ = 280;

    private final Context c;
    private final Host host;
    private final Posix posix;
    private final Request q;
    private final MemorySegment buffer;
    private final MemorySegment name = Arena.ofAuto().allocate(Posix.MAX_NAME_BYTES + 1);
    private final Handle[] opened = new Handle[1];

    DirectoryOps(Context c) {
        this.c = c;
        this.host = c.host;
        this.posix = c.host.posix;
        this.q = c.request;
        this.buffer = c.buffers.entries;
    }

    int opendir() {
        Node n = c.nodes.find(q.nodeId());
        if (n == null) {
            return -Errno.ESTALE;
        }
        if (n instanceof VirtualDirectory v) {
            int r = c.folders.open(v, host, opened);
            return r < 0 ? r : opened(opened[0]);
        }
        if (!n.isDirectory()) {
            return -Errno.ENOTDIR;
        }
        int fd = c.nodes.acquire(n, host);
        if (fd < 0) {
            return fd;
        }
        int directory = posix.reopen(fd, Open.O_RDONLY | Open.O_DIRECTORY | Open.O_CLOEXEC);
        c.nodes.release(n, host);
        if (directory < 0) {
            return directory;
        }
        Handle h = c.handles.open(n, directory, false, false);
        if (h == null) {
            posix.close(directory);
            return -Errno.ENFILE;
        }
        return opened(h);
    }

    private int opened(Handle h) {
        q.body().set(JAVA_LONG_UNALIGNED, 0, h.id());
        q.body().set(JAVA_LONG_UNALIGNED, 8, 0);
        return 16;
    }

    int readdir(FuseExchange exchange) {
        return read(exchange, false);
    }

    int readdirplus(FuseExchange exchange) {
        return read(exchange, true);
    }

    /** struct fuse_read_in: fh 0, offset 8, size 16. */
    private int read(FuseExchange exchange, boolean plus) {
        Handle h = directory();
        if (h == null) {
            return -Errno.EBADF;
        }
        try {
            int room = (int) Math.min(q.u32(16) & 0xFFFF_FFFFL, q.bodyRoom(exchange));
            synchronized (h) {
                return h.isVirtual() ? readVirtual(h, room, plus) : readReal(h, room, plus);
            }
        } finally {
            c.nodes.release(h, host);
        }
    }

    // ---- real ones

    private int readReal(Handle h, int room, boolean plus) {
        long position = q.u64(8);
        int entryBytes = DIRENT_BYTES + (plus ? Attributes.ENTRY_BYTES : 0);
        int used = 0;
        while (true) {
            if (h.position() != position) {
                long r = posix.lseek(h.fd(), position, 0);
                if (r < 0) {
                    return used > 0 ? used : (int) r;
                }
                h.position(position);
            }
            // no more than fits: an entry of the host with a name of 13 to 20 bytes takes 40
            int want = (room - used) / (entryBytes + 16) * 40;
            int n = posix.getdents(h.fd(), buffer, Math.clamp(want, LEAST_READ, BUFFER_BYTES));
            if (n <= 0) {
                return used > 0 ? used : n;
            }
            for (int at = 0; at < n; ) {
                int length = nameAt(at, n);
                int bytes = entryBytes + length + 7 & ~7;
                if (bytes > room - used) {
                    h.position(-1); // further than what is told
                    return used;
                }
                write(h, at, length, used, plus);
                used += bytes;
                position = buffer.get(JAVA_LONG_UNALIGNED, at + 8L);
                at += buffer.get(JAVA_SHORT_UNALIGNED, at + 16L) & 0xFFFF;
            }
            h.position(position);
            if (room - used < entryBytes + 64) {
                return used; // hardly another one
            }
        }
    }

    /** Copies the name of the entry at {@code at}; its length. */
    private int nameAt(int at, int end) {
        int length = 0;
        while (at + 19 + length < end && length < Posix.MAX_NAME_BYTES) {
            byte b = buffer.get(JAVA_BYTE, at + 19L + length);
            if (b == 0) {
                break;
            }
            name.set(JAVA_BYTE, length++, b);
        }
        name.set(JAVA_BYTE, length, (byte) 0);
        return length;
    }

    private void write(Handle h, int at, int length, int to, boolean plus) {
        long ino = buffer.get(JAVA_LONG_UNALIGNED, at);
        long next = buffer.get(JAVA_LONG_UNALIGNED, at + 8L);
        int type = buffer.get(JAVA_BYTE, at + 18L);
        int dirent = to;
        if (plus) {
            dirent += Attributes.ENTRY_BYTES;
            if (isDots(length) || !writeEntry(h, length, to)) {
                writeNoEntry(to, ino, type);
            } else {
                type = host.stat.type() >>> 12; // IFTODT
            }
        }
        writeDirent(dirent, ino, next, type, length);
    }

    private boolean isDots(int length) {
        return name.get(JAVA_BYTE, 0) == '.' && (length == 1 || (length == 2 && name.get(JAVA_BYTE, 1) == '.'));
    }

    /** False if the file is gone or the guest may know no more: then it is only told the name. */
    private boolean writeEntry(Handle h, int length, int to) {
        Node parent = h.node();
        Node mask = c.withheld.mask(parent, name, length);
        if (mask == null && posix.statx(h.fd(), name, host.stat) < 0) {
            return false;
        }
        mask = mask == null ? c.withheld.mask(host.stat) : mask;
        if (mask != null) {
            c.nodes.stat(mask, host, host.stat);
            c.writeEntry(to, parent, mask, host.stat);
            return true;
        }
        Node n = c.nodes.enter(host.stat, parent, name, length);
        if (n == null) {
            return false;
        }
        c.owners.applyByName(n, h.fd(), host.stat, host);
        c.writeEntry(to, parent, n, host.stat);
        return true;
    }

    private void writeNoEntry(int to, long ino, int type) {
        MemorySegment m = q.body();
        m.asSlice(to, Attributes.ENTRY_BYTES).fill((byte) 0);
        m.set(JAVA_LONG_UNALIGNED, to + 40L, ino);
        m.set(JAVA_INT_UNALIGNED, to + 40L + 60, type << 12); // DTTOIF
    }

    private void writeDirent(int at, long ino, long next, int type, int length) {
        MemorySegment m = q.body();
        m.set(JAVA_LONG_UNALIGNED, at, ino);
        m.set(JAVA_LONG_UNALIGNED, at + 8L, next);
        m.set(JAVA_INT_UNALIGNED, at + 16L, length);
        m.set(JAVA_INT_UNALIGNED, at + 20L, type);
        MemorySegment.copy(name, 0, m, at + (long) DIRENT_BYTES, length);
        for (int i = at + DIRENT_BYTES + length; (i & 7) != 0; i++) {
            m.set(JAVA_BYTE, i, (byte) 0);
        }
    }

    // ---- virtual ones: "." and ".." have the cookies 1 and 2, the others follow

    private int readVirtual(Handle h, int room, boolean plus) {
        long from = q.u64(8);
        int entryBytes = DIRENT_BYTES + (plus ? Attributes.ENTRY_BYTES : 0);
        int used = 0;
        for (long i = Math.max(from, 0); i < h.entryCount() + 2L; i++) {
            byte[] text = i == 0 ? DOT : i == 1 ? DOTS : h.entryName((int) i - 2);
            int bytes = entryBytes + text.length + 7 & ~7;
            if (bytes > room - used) {
                return used;
            }
            MemorySegment.copy(text, 0, name, JAVA_BYTE, 0, text.length);
            Node n = i < 2 ? h.node() : h.entry((int) i - 2);
            boolean told = i >= 2 && plus && c.nodes.stat(n, host, host.stat) == 0;
            if (told) {
                c.writeEntry(used, h.node(), n, host.stat);
            } else if (plus) {
                writeNoEntry(used, n.id(), DT_DIR);
            }
            long ino = told ? host.stat.ino() : n.id();
            writeDirent(used + (plus ? Attributes.ENTRY_BYTES : 0), ino, i + 1, DT_DIR, text.length);
            used += bytes;
        }
        return used;
    }

    private static final byte[] DOT = {'.'};
    private static final byte[] DOTS = {'.', '.'};

    // ---- the rest

    /** struct fuse_release_in: fh 0. */
    int releasedir() {
        return c.handles.close(q.u64(0), host) ? 0 : -Errno.EBADF;
    }

    /** struct fuse_fsync_in: fh 0, fsync_flags 8. */
    int fsyncdir() {
        Handle h = directory();
        if (h == null) {
            return -Errno.EBADF;
        }
        try {
            if (h.isVirtual()) {
                return 0;
            }
            return (q.u32(8) & FSYNC_FDATASYNC) != 0 ? host.data.fdatasync(h.fd()) : host.data.fsync(h.fd());
        } finally {
            c.nodes.release(h, host);
        }
    }

    /** The file system of the node; of a virtual directory, those of all shared folders. */
    int syncfs() {
        Node n = c.nodes.find(q.nodeId());
        if (n == null) {
            return -Errno.ESTALE;
        }
        int result = 0;
        if (n instanceof VirtualDirectory) {
            List<Integer> roots = new ArrayList<>();
            c.folders.rootDescriptors(host, roots);
            for (int fd : roots) {
                result = Math.min(result, sync(fd));
                posix.close(fd);
            }
            return result;
        }
        int fd = c.nodes.acquire(n, host);
        if (fd < 0) {
            return fd;
        }
        try {
            return n.isDirectory() || n.isRegular() ? sync(fd) : 0;
        } finally {
            c.nodes.release(n, host);
        }
    }

    /** syncfs takes no O_PATH descriptor. */
    private int sync(int fd) {
        int file = posix.reopen(fd, Open.O_RDONLY | Open.O_CLOEXEC);
        if (file < 0) {
            return file;
        }
        int r = host.data.syncfs(file);
        posix.close(file);
        return r;
    }

    private @Nullable Handle directory() {
        Handle h = c.handles.use(q.u64(0));
        if (h != null && !h.node().isDirectory()) {
            c.nodes.release(h, host);
            return null;
        }
        return h;
    }
}
