package dev.longshore.fileshare.fuse;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;

import dev.longshore.fileshare.os.Xattrs;
import dev.longshore.fileshare.share.Host;
import dev.longshore.fileshare.share.Node;
import dev.longshore.fileshare.share.Owners;
import dev.longshore.fileshare.share.SharedFolders;
import dev.longshore.fileshare.share.VirtualDirectory;
import dev.longshore.linux.Errno;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/**
 * Extended attributes. The one that holds overrides is not there for the guest, and access control lists are not supported:
 * the guest's kernel would not obey them. Each returns the bytes of its reply's body or a negated errno. Confined to its thread.
 */
final class XattrOps {
    private static final int MAX_NAME_BYTES = 255;
    private static final byte[] OVERRIDE = Owners.XATTR.getBytes(StandardCharsets.US_ASCII);
    private static final byte[] ACL = "system.posix_acl_".getBytes(StandardCharsets.US_ASCII);

    private final Context c;
    private final Host host;
    private final Request q;
    private final MemorySegment list;

    XattrOps(Context c) {
        this.c = c;
        this.host = c.host;
        this.q = c.request;
        this.list = c.buffers.attributes;
    }

    /** struct fuse_setxattr_in: size 0, flags 4; the name, the value. */
    int set() {
        Node n = target(8, true);
        if (n == null) {
            return problem;
        }
        int size = q.u32(0);
        int valueAt = 8 + nameLength + 1;
        if (size < 0 || size > Xattrs.MAX_VALUE_BYTES || !q.has(valueAt + size)) {
            return -Errno.EINVAL;
        }
        if (isOverride(8)) {
            return -Errno.EPERM;
        }
        int fd = c.nodes.acquire(n, host);
        if (fd < 0) {
            return fd;
        }
        int r = host.xattrs.set(fd, q.text(8), q.bytes(valueAt, size), size, q.u32(4));
        c.nodes.release(n, host);
        return r;
    }

    /** struct fuse_getxattr_in: size 0, padding 4; the name. Of size 0: struct fuse_getxattr_out: size 0, padding 4. */
    int get(FuseExchange exchange) {
        Node n = target(8, false);
        if (n == null) {
            return problem;
        }
        if (isOverride(8)) {
            return -Errno.ENODATA;
        }
        int size = q.u32(0);
        int room = (int) Math.min(size & 0xFFFF_FFFFL, Math.min(Xattrs.MAX_VALUE_BYTES, q.bodyRoom(exchange)));
        int fd = c.nodes.acquire(n, host);
        if (fd < 0) {
            return fd;
        }
        int r = host.xattrs.get(fd, q.text(8), q.body(), room);
        c.nodes.release(n, host);
        return r >= 0 && size == 0 ? sizeOnly(r) : r;
    }

    private int sizeOnly(int bytes) {
        q.body().set(JAVA_INT_UNALIGNED, 0, bytes);
        q.body().set(JAVA_INT_UNALIGNED, 4, 0);
        return 8;
    }

    /** As {@link #get}, without a name. */
    int list(FuseExchange exchange) {
        Node n = node(false);
        if (n == null) {
            return problem;
        }
        int fd = c.nodes.acquire(n, host);
        if (fd < 0) {
            return fd;
        }
        int r = host.xattrs.list(fd, list, Xattrs.MAX_VALUE_BYTES);
        c.nodes.release(n, host);
        if (r < 0) {
            return r;
        }
        int bytes = withoutHidden(r);
        int size = q.u32(0);
        if (size == 0) {
            return sizeOnly(bytes);
        }
        if (bytes > (size & 0xFFFF_FFFFL) || bytes > q.bodyRoom(exchange)) {
            return -Errno.ERANGE;
        }
        MemorySegment.copy(list, 0, q.body(), 0, bytes);
        return bytes;
    }

    /** Removes from the first {@code bytes} of {@link #list} the names that the guest does not see; the bytes left. */
    private int withoutHidden(int bytes) {
        int to = 0;
        for (int from = 0; from < bytes; ) {
            int end = from;
            while (end < bytes && list.get(JAVA_BYTE, end) != 0) {
                end++;
            }
            int n = Math.min(end + 1, bytes) - from;
            if (!(n - 1 == OVERRIDE.length && startsWith(list, from, n, OVERRIDE)) && !startsWith(list, from, n, ACL)) {
                MemorySegment.copy(list, from, list, to, n);
                to += n;
            }
            from += n;
        }
        return to;
    }

    /** The name. */
    int remove() {
        Node n = target(0, true);
        if (n == null) {
            return problem;
        }
        if (isOverride(0)) {
            return -Errno.ENODATA;
        }
        int fd = c.nodes.acquire(n, host);
        if (fd < 0) {
            return fd;
        }
        int r = host.xattrs.remove(fd, q.text(0));
        c.nodes.release(n, host);
        return r;
    }

    /** Why there is no node. */
    private int problem;

    private int nameLength;

    private @Nullable Node target(int nameAt, boolean write) {
        Node n = node(write);
        if (n == null) {
            return null;
        }
        nameLength = q.textLength(nameAt);
        problem = nameLength <= 0
                ? -Errno.EINVAL
                : nameLength > MAX_NAME_BYTES ? -Errno.ERANGE : isAcl(nameAt) ? -Errno.EOPNOTSUPP : 0;
        return problem < 0 ? null : n;
    }

    private @Nullable Node node(boolean write) {
        Node n = c.nodes.find(q.nodeId());
        problem = n == null
                ? -Errno.ESTALE
                : n instanceof VirtualDirectory
                        ? -Errno.EOPNOTSUPP
                        : write && SharedFolders.isReadOnly(n) ? -Errno.EROFS : 0;
        return problem < 0 ? null : n;
    }

    private boolean isOverride(int at) {
        return nameLength == OVERRIDE.length && startsWith(q.text(at), 0, nameLength, OVERRIDE);
    }

    private boolean isAcl(int at) {
        return startsWith(q.text(at), 0, nameLength, ACL);
    }

    /** Whatever its case: there are file systems that make no difference. */
    private static boolean startsWith(MemorySegment m, int at, int length, byte[] prefix) {
        if (length < prefix.length) {
            return false;
        }
        for (int i = 0; i < prefix.length; i++) {
            byte b = m.get(JAVA_BYTE, at + i);
            if ((b >= 'A' && b <= 'Z' ? b | 0x20 : b) != prefix[i]) {
                return false;
            }
        }
        return true;
    }
}
