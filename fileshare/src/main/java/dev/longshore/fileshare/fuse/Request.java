package dev.longshore.fileshare.fuse;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;

import dev.longshore.fileshare.os.Posix;
import dev.longshore.fileshare.os.Xattrs;
import dev.longshore.linux.Errno;
import java.lang.foreign.MemorySegment;

/**
 * A request, copied out of where the guest could change it, and the reply to it. Confined to one thread, one request at a time.
 *
 * <pre>
 * struct fuse_in_header:  len 0, opcode 4, unique 8, nodeid 16, uid 24, gid 28, pid 32, total_extlen 36 (16 bits, in 8 bytes)
 * struct fuse_out_header: len 0, error 4, unique 8
 * </pre>
 *
 * Offsets of arguments count from the end of the header. An accessor outside the request reads 0: operations ask
 * {@link #has} first.
 */
final class Request {
    static final int HEADER_BYTES = 40;
    static final int REPLY_HEADER_BYTES = 16;

    /** An attribute's value with its name and the fixed part; nothing else but data is longer. */
    static final int MAX_BYTES = HEADER_BYTES + 16 + Posix.MAX_PATH_BYTES + Xattrs.MAX_VALUE_BYTES;

    /** Of a WRITE: header and {@code struct fuse_write_in}; the data stays where it is. */
    static final int WRITE_BYTES = HEADER_BYTES + 40;

    static final int MAX_REPLY_BYTES = REPLY_HEADER_BYTES + (1 << 17);
    private static final int EXT_GROUPS = 32;

    private final MemorySegment in;
    private final MemorySegment out;
    private final MemorySegment body;

    private int end;
    private int opcode;
    private long unique;
    private long nodeId;
    private int uid;
    private int gid;
    private int pid;
    private boolean inGroup;
    private int group;

    /** Of the name last checked. */
    private int nameLength;

    Request(Buffers buffers) {
        in = buffers.request;
        out = buffers.reply;
        body = out.asSlice(REPLY_HEADER_BYTES);
    }

    /**
     * Reads the header and, but for data, what follows it.
     *
     * @return 0, or a negated errno if it is none: with the header's fields set if at least that is there
     */
    int read(FuseExchange exchange) {
        int bytes = exchange.requestBytes();
        end = 0;
        unique = 0;
        opcode = 0;
        if (bytes < HEADER_BYTES) {
            return -Errno.EINVAL;
        }
        exchange.copyRequest(0, in, HEADER_BYTES);
        opcode = in.get(JAVA_INT_UNALIGNED, 4);
        unique = in.get(JAVA_LONG_UNALIGNED, 8);
        nodeId = in.get(JAVA_LONG_UNALIGNED, 16);
        uid = in.get(JAVA_INT_UNALIGNED, 24);
        gid = in.get(JAVA_INT_UNALIGNED, 28);
        pid = in.get(JAVA_INT_UNALIGNED, 32);
        inGroup = false;
        int extensions = (in.get(JAVA_SHORT_UNALIGNED, 36) & 0xFFFF) * 8;
        boolean isWrite = opcode == Opcode.WRITE;
        int n = isWrite ? Math.min(bytes, WRITE_BYTES) : bytes;
        if (n > MAX_BYTES) {
            return -Errno.E2BIG;
        }
        if (n > HEADER_BYTES) {
            exchange.copyRequest(HEADER_BYTES, in.asSlice(HEADER_BYTES), n - HEADER_BYTES);
        }
        end = n;
        if (extensions != 0 && !isWrite) {
            if (extensions > n - HEADER_BYTES) {
                return -Errno.EINVAL;
            }
            end = n - extensions;
            readExtensions(end, n);
        }
        return 0;
    }

    /** struct fuse_ext_header: size 0, type 4; struct fuse_supp_groups: count 8, groups 12. The kernel sends one group at most. */
    private void readExtensions(int at, int n) {
        while (at + 16 <= n) {
            int size = in.get(JAVA_INT_UNALIGNED, at);
            if (size < 16 || size > n - at) {
                return;
            }
            if (in.get(JAVA_INT_UNALIGNED, at + 4L) == EXT_GROUPS && in.get(JAVA_INT_UNALIGNED, at + 8L) > 0) {
                inGroup = true;
                group = in.get(JAVA_INT_UNALIGNED, at + 12L);
            }
            at += size + 7 & ~7;
        }
    }

    // ---- the header

    int opcode() {
        return opcode;
    }

    long unique() {
        return unique;
    }

    long nodeId() {
        return nodeId;
    }

    int uid() {
        return uid;
    }

    int gid() {
        return gid;
    }

    /** Of the process that asks; 0 if it is the kernel itself. */
    int pid() {
        return pid;
    }

    /** True if the caller is in {@link #group} besides {@link #gid}, and needs it to write to the directory. */
    boolean inGroup() {
        return inGroup;
    }

    int group() {
        return group;
    }

    // ---- the arguments

    /** True if there are {@code n} bytes of arguments or more. */
    boolean has(int n) {
        return end - HEADER_BYTES >= n;
    }

    int u32(int at) {
        return has(at + 4) ? in.get(JAVA_INT_UNALIGNED, HEADER_BYTES + at) : 0;
    }

    long u64(int at) {
        return has(at + 8) ? in.get(JAVA_LONG_UNALIGNED, HEADER_BYTES + at) : 0;
    }

    /** The bytes from {@code at}, as far as they go. */
    MemorySegment bytes(int at, int n) {
        return in.asSlice(HEADER_BYTES + at, n);
    }

    int argumentBytes() {
        return end - HEADER_BYTES;
    }

    /** Bytes before the NUL of the text at {@code at}, or -1 if it has none. */
    int textLength(int at) {
        for (int i = HEADER_BYTES + at; i < end; i++) {
            if (in.get(JAVA_BYTE, i) == 0) {
                return i - HEADER_BYTES - at;
            }
        }
        return -1;
    }

    /**
     * Checks that the text at {@code at} names something in a directory: not empty, not "." or "..", no "/", not too
     * long. Its length is {@link #nameLength} then.
     *
     * @return 0 or a negated errno
     */
    int checkName(int at) {
        int n = textLength(at);
        if (n <= 0) {
            return -Errno.EINVAL;
        }
        if (n > Posix.MAX_NAME_BYTES) {
            return -Errno.ENAMETOOLONG;
        }
        long from = (long) HEADER_BYTES + at;
        if (in.get(JAVA_BYTE, from) == '.' && (n == 1 || (n == 2 && in.get(JAVA_BYTE, from + 1) == '.'))) {
            return -Errno.EINVAL;
        }
        for (int i = 0; i < n; i++) {
            if (in.get(JAVA_BYTE, from + i) == '/') {
                return -Errno.EINVAL;
            }
        }
        nameLength = n;
        return 0;
    }

    int nameLength() {
        return nameLength;
    }

    /** The text at {@code at}, NUL-terminated. */
    MemorySegment text(int at) {
        return in.asSlice(HEADER_BYTES + at, end - HEADER_BYTES - at);
    }

    // ---- the reply

    /** Room for what follows the reply's header. */
    MemorySegment body() {
        return body;
    }

    int bodyRoom(FuseExchange exchange) {
        return Math.clamp((long) exchange.replyRoom() - REPLY_HEADER_BYTES, 0, (int) body.byteSize());
    }

    /**
     * Completes the exchange.
     *
     * @param result the bytes of the body, or a negated errno
     * @param direct true if the body is in the reply already
     */
    void reply(FuseExchange exchange, int result, boolean direct) {
        int room = exchange.replyRoom();
        if (room < REPLY_HEADER_BYTES) {
            exchange.complete(0);
            return;
        }
        int error = Math.min(result, 0);
        int bytes = REPLY_HEADER_BYTES + Math.max(result, 0);
        if (bytes > room) {
            error = -Errno.EIO;
            bytes = REPLY_HEADER_BYTES;
        }
        out.set(JAVA_INT_UNALIGNED, 0, bytes);
        out.set(JAVA_INT_UNALIGNED, 4, error);
        out.set(JAVA_LONG_UNALIGNED, 8, unique);
        exchange.copyReply(0, out, direct ? REPLY_HEADER_BYTES : bytes);
        exchange.complete(bytes);
    }
}
