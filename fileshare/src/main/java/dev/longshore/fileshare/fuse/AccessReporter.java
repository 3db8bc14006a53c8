package dev.longshore.fileshare.fuse;

import dev.longshore.fileshare.fuse.FileAccess.Kind;
import dev.longshore.fileshare.os.Open;
import dev.longshore.fileshare.share.Handle;
import dev.longshore.fileshare.share.Node;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/**
 * Tells what a request did to the host's files, if somebody wants to know; else it costs a look at a field. Reading, writing and looking up
 * are not told one by one: the bytes are told when the file is closed. Confined to its thread.
 */
final class AccessReporter {
    private final Context c;
    private final Request q;

    // Of a file that is about to be closed, or to get another name: the table knows the last one only.
    private String path = "";
    private long read;
    private long written;

    AccessReporter(Context c) {
        this.c = c;
        q = c.request;
    }

    /** Before the request is done, for what is not known any more afterwards. */
    void before() {
        path = "";
        if (!c.tap.isOpen()) {
            return;
        }
        if (q.opcode() == Opcode.LINK) {
            path = ofNode(q.u64(0));
        }
        Handle h = q.opcode() == Opcode.RELEASE ? c.handles.use(q.u64(0)) : null;
        if (h != null) {
            path = c.nodes.pathOf(h.node());
            read = h.bytesRead();
            written = h.bytesWritten();
            c.nodes.release(h, c.host);
        }
    }

    /** @param result the request's: negative for a failure */
    void after(int result) {
        FileAccess.Listener listener = c.tap.listener();
        if (listener == null) {
            return;
        }
        int errno = Math.max(0, -result);
        switch (q.opcode()) {
            case Opcode.OPEN -> {
                boolean writes = (q.u32(0) & Open.O_ACCMODE) != Open.O_RDONLY || (q.u32(0) & Open.O_TRUNC) != 0;
                tell(listener, writes ? Kind.OPEN_TO_WRITE : Kind.OPEN_TO_READ, ofNode(q.nodeId()), "", errno);
            }
            case Opcode.CREATE -> tell(listener, Kind.CREATE, named(q.nodeId(), 16), "", errno);
            case Opcode.TMPFILE -> tell(listener, Kind.CREATE, ofNode(q.nodeId()), "", errno);
            case Opcode.RELEASE -> {
                if (!path.isEmpty()) {
                    listener.onAccess(new FileAccess(
                            System.currentTimeMillis(), Kind.CLOSE, path, "", 0, 0, 0, errno, read, written));
                }
            }
            case Opcode.OPENDIR -> tell(listener, Kind.LIST, ofNode(q.nodeId()), "", errno);
            case Opcode.MKDIR -> tell(listener, Kind.MKDIR, named(q.nodeId(), 8), "", errno);
            case Opcode.MKNOD -> tell(listener, Kind.MKNOD, named(q.nodeId(), 16), "", errno);
            case Opcode.SYMLINK -> {
                int name = Math.max(0, q.textLength(0));
                tell(listener, Kind.SYMLINK, named(q.nodeId(), 0), text(name + 1), errno);
            }
            case Opcode.LINK -> tell(listener, Kind.LINK, path, named(q.nodeId(), 8), errno);
            case Opcode.UNLINK -> tell(listener, Kind.UNLINK, named(q.nodeId(), 0), "", errno);
            case Opcode.RMDIR -> tell(listener, Kind.RMDIR, named(q.nodeId(), 0), "", errno);
            case Opcode.RENAME -> renamed(listener, 8, errno);
            case Opcode.RENAME2 -> renamed(listener, 16, errno);
            case Opcode.SETATTR -> {
                Kind kind = kind(q.u32(0));
                if (kind != null) {
                    tell(listener, kind, ofNode(q.nodeId()), "", errno);
                }
            }
            case Opcode.SETXATTR -> tell(listener, Kind.SETXATTR, ofNode(q.nodeId()), "", errno);
            case Opcode.REMOVEXATTR -> tell(listener, Kind.REMOVEXATTR, ofNode(q.nodeId()), "", errno);
            default -> {
                // changes nothing, or is told when the file is closed
            }
        }
    }

    private void renamed(FileAccess.Listener listener, int namesAt, int errno) {
        int second = namesAt + Math.max(0, q.textLength(namesAt)) + 1;
        tell(listener, Kind.RENAME, named(q.nodeId(), namesAt), named(q.u64(0), second), errno);
    }

    private static @Nullable Kind kind(int valid) {
        if ((valid & InodeOps.FATTR_SIZE) != 0) {
            return Kind.TRUNCATE;
        }
        if ((valid & (InodeOps.FATTR_UID | InodeOps.FATTR_GID)) != 0) {
            return Kind.CHOWN;
        }
        if ((valid & InodeOps.FATTR_MODE) != 0) {
            return Kind.CHMOD;
        }
        return (valid & (InodeOps.FATTR_ATIME | InodeOps.FATTR_MTIME)) != 0 ? Kind.UTIMENS : null;
    }

    private void tell(FileAccess.Listener listener, Kind kind, String what, String to, int errno) {
        if (!what.isEmpty()) {
            listener.onAccess(
                    new FileAccess(System.currentTimeMillis(), kind, what, to, q.uid(), q.gid(), q.pid(), errno, 0, 0));
        }
    }

    /** Empty for what is not the host's. */
    private String ofNode(long id) {
        Node n = c.nodes.find(id);
        return n == null ? "" : c.nodes.pathOf(n);
    }

    /** Of the name at {@code at} in a directory; empty if that is not the host's, or nothing is a name there. */
    private String named(long directory, int at) {
        String above = ofNode(directory);
        String name = text(at);
        return above.isEmpty() || name.isEmpty() ? "" : above + "/" + name;
    }

    private String text(int at) {
        int n = q.textLength(at);
        return n <= 0
                ? ""
                : StandardCharsets.UTF_8
                        .decode(q.text(at).asSlice(0, n).asByteBuffer())
                        .toString();
    }
}
