package dev.longshore.fileshare.fuse;

import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;

import dev.longshore.fileshare.os.Open;
import dev.longshore.fileshare.share.Node;
import dev.longshore.linux.Errno;
import java.lang.foreign.MemorySegment;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Answers the requests that one thread gets. Confined to that thread. */
final class Worker {
    private static final Logger log = LoggerFactory.getLogger(Worker.class);

    private static final int MAJOR = 7;
    /** The newest that is answered: Linux 6.12's. */
    private static final int MINOR = 41;
    /** The oldest: of Linux 4.20, the first with max_pages. */
    private static final int LEAST_MINOR = 28;

    static final int MAX_WRITE = 1 << 20;
    private static final int MAX_PAGES = MAX_WRITE / 4096;
    private static final int MAX_BACKGROUND = 64;
    private static final int CONGESTION = 48;
    private static final int INIT_BYTES = 64;

    /**
     * FUSE_ASYNC_READ, FUSE_ATOMIC_O_TRUNC, FUSE_BIG_WRITES, FUSE_AUTO_INVAL_DATA, FUSE_DO_READDIRPLUS, FUSE_READDIRPLUS_AUTO,
     * FUSE_ASYNC_DIO, FUSE_PARALLEL_DIROPS, FUSE_MAX_PAGES, FUSE_SUBMOUNTS, FUSE_HANDLE_KILLPRIV_V2, FUSE_INIT_EXT. Not
     * FUSE_POSIX_LOCKS and FUSE_FLOCK_LOCKS: locks stay in the guest.
     */
    private static final int FLAGS = 1 | 1 << 3 | 1 << 5 | 1 << 12 | 1 << 13 | 1 << 14 | 1 << 15 | 1 << 18 | 1 << 22
            | 1 << 27 | 1 << 28 | 1 << 30;

    private static final int INIT_EXT = 1 << 30;

    /** FUSE_CREATE_SUPP_GROUP, FUSE_DIRECT_IO_ALLOW_MMAP: bits 34 and 36. */
    private static final int FLAGS2 = 1 << 2 | 1 << 4;

    private final FuseServer server;
    private final Context c;
    private final Request q;
    private final NameOps names;
    private final InodeOps inodes;
    private final FileOps files;
    private final DirectoryOps directories;
    private final XattrOps xattrs;
    private final HostEventOps events;
    private final AccessReporter accesses;

    Worker(FuseServer server, Context c) {
        this.server = server;
        this.c = c;
        q = c.request;
        names = new NameOps(c);
        inodes = new InodeOps(c);
        files = new FileOps(c, inodes);
        directories = new DirectoryOps(c);
        xattrs = new XattrOps(c);
        events = new HostEventOps(c, names, inodes, files);
        accesses = new AccessReporter(c);
        // File modes are the guest's: its kernel has applied the mask of whoever made the file.
        c.host.thread.unshareFs();
        c.host.thread.umask(0);
        if (c.owners.areOfHost()) {
            c.host.thread.setGroups(false, 0);
        }
    }

    Context context() {
        return c;
    }

    void handle(FuseExchange exchange) {
        int result;
        boolean read = false;
        try {
            result = q.read(exchange);
            if (result == 0) {
                read = q.opcode() == Opcode.READ;
                boolean wanted = c.own.isWanted();
                if (wanted) {
                    touching(false);
                }
                if (HostEventOps.isReserved(q.gid()) && HostEventOps.concerns(q.opcode())) {
                    result = events.dispatch();
                } else {
                    accesses.before();
                    result = dispatch(exchange);
                    accesses.after(result);
                }
                if (wanted) {
                    touching(true);
                    if (result >= 0) {
                        made();
                    }
                }
            }
        } catch (RuntimeException e) {
            server.counters().bug();
            log.error("request {} of node {}", q.opcode(), q.nodeId(), e);
            result = -Errno.EIO;
        }
        count(result);
        if (isUnanswered(q.opcode())) {
            exchange.complete(0);
        } else {
            q.reply(exchange, result, read);
        }
    }

    /** What is about to be done need not be told to the guest when somebody sees it on the host, which may be at once. */
    private void touching(boolean done) {
        long id =
                switch (q.opcode()) {
                    case Opcode.WRITE, Opcode.SETATTR, Opcode.FALLOCATE, Opcode.SETXATTR, Opcode.REMOVEXATTR ->
                        q.nodeId();
                    case Opcode.OPEN -> (q.u32(0) & Open.O_TRUNC) != 0 ? q.nodeId() : 0;
                    case Opcode.COPY_FILE_RANGE -> q.u64(16);
                    case Opcode.LINK -> q.u64(0);
                    default -> 0;
                };
        Node n = id == 0 || HostEventOps.isReserved(q.gid()) ? null : c.nodes.find(id);
        if (n != null && done) {
            c.own.touched(n.dev(), n.ino());
        } else if (n != null) {
            c.own.touching(n.dev(), n.ino());
        }
    }

    /** What has just been made need not be told either. */
    private void made() {
        if (isMaking(q.opcode()) && !HostEventOps.isReserved(q.gid())) {
            Node n = c.nodes.find(q.body().get(JAVA_LONG_UNALIGNED, 0)); // struct fuse_entry_out: nodeid 0
            if (n != null) {
                c.own.touched(n.dev(), n.ino());
            }
        }
    }

    private static boolean isMaking(int opcode) {
        return switch (opcode) {
            case Opcode.CREATE, Opcode.MKNOD, Opcode.MKDIR, Opcode.SYMLINK -> true;
            default -> false;
        };
    }

    private void count(int result) {
        FuseCounters counters = server.counters();
        counters.request();
        if (result < 0) {
            if (result != -Errno.ENOENT) {
                counters.error();
            }
        } else if (q.opcode() == Opcode.READ) {
            counters.read(result);
        } else if (q.opcode() == Opcode.WRITE && result > 0) {
            counters.written(q.body().get(JAVA_INT_UNALIGNED, 0));
        }
    }

    private static boolean isUnanswered(int opcode) {
        return opcode == Opcode.FORGET || opcode == Opcode.BATCH_FORGET || opcode == Opcode.INTERRUPT;
    }

    private int dispatch(FuseExchange exchange) {
        return switch (q.opcode()) {
            case Opcode.LOOKUP -> names.lookup();
            case Opcode.FORGET -> names.forget();
            case Opcode.BATCH_FORGET -> names.batchForget();
            case Opcode.GETATTR -> inodes.getattr();
            case Opcode.STATX -> inodes.statx();
            case Opcode.SETATTR -> inodes.setattr();
            case Opcode.READLINK -> inodes.readlink(exchange);
            case Opcode.SYMLINK -> names.symlink();
            case Opcode.MKNOD -> names.mknod();
            case Opcode.MKDIR -> names.mkdir();
            case Opcode.UNLINK -> names.unlink();
            case Opcode.RMDIR -> names.rmdir();
            case Opcode.RENAME -> names.rename();
            case Opcode.RENAME2 -> names.rename2();
            case Opcode.LINK -> names.link();
            case Opcode.OPEN -> files.open();
            case Opcode.CREATE -> names.create();
            case Opcode.TMPFILE -> names.tmpfile();
            case Opcode.READ -> files.read(exchange);
            case Opcode.WRITE -> files.write(exchange);
            case Opcode.STATFS -> inodes.statfs();
            case Opcode.RELEASE -> files.release();
            case Opcode.FLUSH -> files.flush();
            case Opcode.FSYNC -> files.fsync();
            case Opcode.SETXATTR -> xattrs.set();
            case Opcode.GETXATTR -> xattrs.get(exchange);
            case Opcode.LISTXATTR -> xattrs.list(exchange);
            case Opcode.REMOVEXATTR -> xattrs.remove();
            case Opcode.OPENDIR -> directories.opendir();
            case Opcode.READDIR -> directories.readdir(exchange);
            case Opcode.READDIRPLUS -> directories.readdirplus(exchange);
            case Opcode.RELEASEDIR -> directories.releasedir();
            case Opcode.FSYNCDIR -> directories.fsyncdir();
            case Opcode.SYNCFS -> directories.syncfs();
            case Opcode.FALLOCATE -> files.fallocate();
            case Opcode.LSEEK -> files.lseek();
            case Opcode.COPY_FILE_RANGE -> files.copyFileRange();
            case Opcode.INIT -> init();
            case Opcode.DESTROY -> destroy();
            case Opcode.INTERRUPT -> 0; // nothing here waits for anything but the host's files
            case Opcode.IOCTL -> -Errno.ENOTTY;
            default -> -Errno.ENOSYS;
        };
    }

    /**
     * struct fuse_init_in: major 0, minor 4, max_readahead 8, flags 12, flags2 16. struct fuse_init_out: major 0, minor 4,
     * max_readahead 8, flags 12, max_background 16, congestion_threshold 18, max_write 20, time_gran 24, max_pages 28,
     * map_alignment 30, flags2 32.
     */
    private int init() {
        int major = q.u32(0);
        int minor = q.u32(4);
        MemorySegment m = q.body();
        m.asSlice(0, INIT_BYTES).fill((byte) 0);
        m.set(JAVA_INT_UNALIGNED, 0, MAJOR);
        m.set(JAVA_INT_UNALIGNED, 4, Integer.compareUnsigned(minor, MINOR) < 0 ? minor : MINOR);
        if (major > MAJOR) {
            return INIT_BYTES; // it asks again with ours
        }
        if (major < MAJOR || (minor < LEAST_MINOR && minor >= 0)) {
            log.warn("the guest's kernel speaks FUSE {}.{}, which is too old", major, minor);
            return -Errno.EPROTO;
        }
        server.reset();
        int flags = q.u32(12) & FLAGS;
        m.set(JAVA_INT_UNALIGNED, 8, q.u32(8));
        m.set(JAVA_INT_UNALIGNED, 12, flags);
        m.set(JAVA_SHORT_UNALIGNED, 16, (short) MAX_BACKGROUND);
        m.set(JAVA_SHORT_UNALIGNED, 18, (short) CONGESTION);
        m.set(JAVA_INT_UNALIGNED, 20, MAX_WRITE);
        m.set(JAVA_INT_UNALIGNED, 24, 1);
        m.set(JAVA_SHORT_UNALIGNED, 28, (short) MAX_PAGES);
        m.set(JAVA_INT_UNALIGNED, 32, (flags & INIT_EXT) != 0 ? q.u32(16) & FLAGS2 : 0);
        log.debug("FUSE 7.{}, flags {}", minor, Integer.toHexString(flags));
        return INIT_BYTES;
    }

    private int destroy() {
        server.reset();
        return 0;
    }
}
