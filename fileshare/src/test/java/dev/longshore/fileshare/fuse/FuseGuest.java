package dev.longshore.fileshare.fuse;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** A guest's kernel that makes one request after the other. */
@SuppressWarnings("ByteBufferBackingArray") // all are made by buffer()
public final class FuseGuest {
    public static final long ROOT = 1;
    private static final int REPLY_ROOM = 1 << 17;
    private static final int IN_HEADER = 40;
    private static final int OUT_HEADER = 16;

    private final FuseHandler server;
    private int uid;
    private int gid;
    private int pieceBytes = 4096;
    private long unique;

    public FuseGuest(FuseHandler server) {
        this.server = server;
    }

    /** Requests are this user's from now on. */
    public FuseGuest as(int uid, int gid) {
        this.uid = uid;
        this.gid = gid;
        return this;
    }

    /** Memory lies in pieces of so many bytes from now on. */
    public FuseGuest inPieces(int bytes) {
        pieceBytes = bytes;
        return this;
    }

    /** What came back: {@code error} is 0 or a positive errno. */
    public record Reply(int error, ByteBuffer body) {
        public Reply ok() {
            assertThat(error).as("errno").isZero();
            return this;
        }

        public int u32(int at) {
            return body.getInt(at);
        }

        public long u64(int at) {
            return body.getLong(at);
        }

        public byte[] bytes() {
            byte[] b = new byte[body.remaining()];
            body.get(body.position(), b);
            return b;
        }

        public String text() {
            return new String(bytes(), StandardCharsets.UTF_8);
        }
    }

    /** struct fuse_entry_out. */
    public record Entry(
            long node, long ino, long size, int mode, int links, int uid, int gid, int device, Reply reply) {
        static Entry of(Reply r, int at) {
            return new Entry(
                    r.u64(at),
                    r.u64(at + 40),
                    r.u64(at + 48),
                    r.u32(at + 100),
                    r.u32(at + 104),
                    r.u32(at + 108),
                    r.u32(at + 112),
                    r.u32(at + 116),
                    r);
        }
    }

    /** One of READDIRPLUS. */
    public record Listed(String name, long node, long cookie, int type) {}

    public Reply call(int opcode, long node, byte[] arguments) {
        return call(opcode, node, arguments, REPLY_ROOM);
    }

    public Reply call(int opcode, long node, byte[] arguments, int room) {
        unique += 2;
        ByteBuffer in = buffer(IN_HEADER + arguments.length)
                .putInt(IN_HEADER + arguments.length)
                .putInt(opcode)
                .putLong(unique)
                .putLong(node)
                .putInt(uid)
                .putInt(gid)
                .putInt(1)
                .putInt(0)
                .put(arguments);
        ByteExchange x = new ByteExchange(in.array(), room, pieceBytes);
        server.handle(x);
        assertThat(x.isCompleted()).isTrue();
        ByteBuffer out = ByteBuffer.wrap(x.reply()).order(ByteOrder.LITTLE_ENDIAN);
        if (out.remaining() == 0) {
            return new Reply(0, out);
        }
        assertThat(out.getInt(0)).isEqualTo(out.remaining());
        assertThat(out.getLong(8)).isEqualTo(unique);
        return new Reply(
                -out.getInt(4),
                out.slice(OUT_HEADER, out.remaining() - OUT_HEADER).order(ByteOrder.LITTLE_ENDIAN));
    }

    // ---- arguments

    public static ByteBuffer buffer(int bytes) {
        return ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
    }

    public static byte[] name(String s) {
        return (s + "\0").getBytes(StandardCharsets.UTF_8);
    }

    public static byte[] with(ByteBuffer fixed, String... names) {
        byte[] text = name(String.join("\0", names));
        return buffer(fixed.capacity() + text.length)
                .put(fixed.array())
                .put(text)
                .array();
    }

    // ---- operations

    /** FUSE_INIT with all flags. */
    public Reply init() {
        return call(
                Opcode.INIT,
                0,
                buffer(64)
                        .putInt(7)
                        .putInt(41)
                        .putInt(1 << 17)
                        .putInt(-1)
                        .putInt(-1)
                        .array());
    }

    public Reply lookupReply(long parent, String name) {
        return call(Opcode.LOOKUP, parent, name(name));
    }

    public Entry lookup(long parent, String name) {
        return Entry.of(lookupReply(parent, name).ok(), 0);
    }

    /** Along the names from the root. */
    public Entry walk(String path) {
        Entry e = null;
        long at = ROOT;
        for (String s : path.split("/", -1)) {
            if (!s.isEmpty()) {
                e = lookup(at, s);
                at = e.node();
            }
        }
        if (e == null) {
            throw new IllegalArgumentException(path);
        }
        return e;
    }

    public void forget(long node, long times) {
        assertThat(call(Opcode.FORGET, node, buffer(8).putLong(times).array())
                        .body()
                        .remaining())
                .isZero();
    }

    public Reply getattrReply(long node) {
        return call(Opcode.GETATTR, node, new byte[16]);
    }

    /** As an entry, whose node is the given one. */
    public Entry getattr(long node) {
        return attr(node, getattrReply(node).ok());
    }

    public static Entry attr(long node, Reply r) {
        return new Entry(node, r.u64(16), r.u64(24), r.u32(76), r.u32(80), r.u32(84), r.u32(88), r.u32(92), r);
    }

    public Reply createReply(long parent, String name, int flags, int mode) {
        return call(Opcode.CREATE, parent, with(buffer(16).putInt(flags).putInt(mode), name));
    }

    /** The node's id and the handle. */
    public long[] create(long parent, String name, int flags, int mode) {
        Reply r = createReply(parent, name, flags, mode).ok();
        return new long[] {r.u64(0), r.u64(128)};
    }

    public Reply mkdirReply(long parent, String name, int mode) {
        return call(Opcode.MKDIR, parent, with(buffer(8).putInt(mode), name));
    }

    public Entry mkdir(long parent, String name, int mode) {
        return Entry.of(mkdirReply(parent, name, mode).ok(), 0);
    }

    public Reply mknod(long parent, String name, int mode, int device) {
        return call(Opcode.MKNOD, parent, with(buffer(16).putInt(mode).putInt(device), name));
    }

    public Reply symlink(long parent, String name, String target) {
        return call(Opcode.SYMLINK, parent, name(name + "\0" + target));
    }

    public Reply link(long node, long parent, String name) {
        return call(Opcode.LINK, parent, with(buffer(8).putLong(node), name));
    }

    public Reply rename(long parent, String name, long newParent, String newName, int flags) {
        return call(Opcode.RENAME2, parent, with(buffer(16).putLong(newParent).putInt(flags), name, newName));
    }

    public Reply unlink(long parent, String name) {
        return call(Opcode.UNLINK, parent, name(name));
    }

    public Reply rmdir(long parent, String name) {
        return call(Opcode.RMDIR, parent, name(name));
    }

    public Reply open(long node, int flags) {
        return call(Opcode.OPEN, node, buffer(8).putInt(flags).array());
    }

    public Reply read(long node, long handle, long offset, int size) {
        return call(
                Opcode.READ,
                node,
                buffer(40).putLong(handle).putLong(offset).putInt(size).array());
    }

    public Reply write(long node, long handle, long offset, byte[] data) {
        return write(node, handle, offset, data, 0);
    }

    public Reply write(long node, long handle, long offset, byte[] data, int flags) {
        ByteBuffer b = buffer(40 + data.length)
                .putLong(handle)
                .putLong(offset)
                .putInt(data.length)
                .putInt(flags)
                .position(40)
                .put(data);
        return call(Opcode.WRITE, node, b.array());
    }

    public Reply release(long node, long handle) {
        return call(Opcode.RELEASE, node, buffer(24).putLong(handle).array());
    }

    /** SETATTR of owner and mode: -1 leaves one as it is. */
    public Reply setattr(long node, int uid, int gid, int mode) {
        int valid = (mode >= 0 ? 1 : 0) | (uid >= 0 ? 2 : 0) | (gid >= 0 ? 4 : 0);
        return call(
                Opcode.SETATTR,
                node,
                buffer(88)
                        .putInt(0, valid)
                        .putInt(68, mode)
                        .putInt(76, uid)
                        .putInt(80, gid)
                        .array());
    }

    public Reply truncate(long node, long size, int more) {
        return call(
                Opcode.SETATTR,
                node,
                buffer(88).putInt(0, 8 | more).putLong(16, size).array());
    }

    public Reply setxattr(long node, String name, String value) {
        byte[] v = value.getBytes(StandardCharsets.UTF_8);
        byte[] n = name(name);
        return call(
                Opcode.SETXATTR,
                node,
                buffer(8 + n.length + v.length)
                        .putInt(v.length)
                        .putInt(0)
                        .put(n)
                        .put(v)
                        .array());
    }

    public Reply getxattr(long node, String name, int size) {
        return call(Opcode.GETXATTR, node, with(buffer(8).putInt(size), name));
    }

    public Reply listxattr(long node, int size) {
        return call(Opcode.LISTXATTR, node, buffer(8).putInt(size).array());
    }

    public long opendir(long node) {
        return call(Opcode.OPENDIR, node, new byte[8]).ok().u64(0);
    }

    public List<Listed> list(long node, boolean plus, int room) {
        long handle = opendir(node);
        List<Listed> all = new ArrayList<>();
        long cookie = 0;
        while (true) {
            Reply r = call(
                            plus ? Opcode.READDIRPLUS : Opcode.READDIR,
                            node,
                            buffer(40)
                                    .putLong(handle)
                                    .putLong(cookie)
                                    .putInt(room)
                                    .array(),
                            OUT_HEADER + room)
                    .ok();
            if (r.body().remaining() == 0) {
                break;
            }
            for (int at = 0; at < r.body().remaining(); ) {
                int dirent = at + (plus ? 128 : 0);
                int length = r.u32(dirent + 16);
                byte[] text = new byte[length];
                r.body().get(dirent + 24, text);
                cookie = r.u64(dirent + 8);
                all.add(new Listed(
                        new String(text, StandardCharsets.UTF_8), plus ? r.u64(at) : 0, cookie, r.u32(dirent + 20)));
                at = (dirent + 24 + length + 7) & ~7;
            }
        }
        call(Opcode.RELEASEDIR, node, buffer(24).putLong(handle).array()).ok();
        return all;
    }
}
