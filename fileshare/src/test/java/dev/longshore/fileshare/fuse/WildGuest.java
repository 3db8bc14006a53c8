package dev.longshore.fileshare.fuse;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.fileshare.os.Stat;
import dev.longshore.linux.Errno;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.List;
import java.util.function.IntUnaryOperator;

/**
 * A guest that asks for anything: requests of all kinds about files that it knows and others, with names and numbers that it should not
 * use. Confined to one thread.
 */
final class WildGuest {
    private static final List<String> NAMES = List.of(
            "a",
            "b",
            "c",
            "d",
            "e",
            "f",
            "l",
            ".s",
            "longshore",
            Outside.CANARY,
            ".",
            "..",
            "",
            "a/b",
            "../outside",
            "n".repeat(255),
            "n".repeat(256),
            "\u00ff\u0001");

    private static final long[] NUMBERS = {
        0,
        1,
        2,
        3,
        7,
        100,
        4095,
        4096,
        65_536,
        -1,
        Integer.MAX_VALUE,
        1L << 31,
        0xFFFF_FFFFL,
        1L << 32,
        Long.MAX_VALUE,
        Long.MIN_VALUE,
        (1L << 30) - 1,
        (1L << 30) - 2,
        1_000_000_000
    };

    private static final int[] KINDS = {
        0,
        Stat.S_IFREG,
        Stat.S_IFDIR,
        Stat.S_IFLNK,
        Stat.S_IFIFO,
        Stat.S_IFSOCK,
        Stat.S_IFCHR,
        Stat.S_IFBLK,
        Stat.S_IFMT
    };

    private static final List<String> ATTRIBUTES = List.of(
            "user.a",
            "user.containers.override_stat",
            "USER.containers.OVERRIDE_stat",
            "security.capability",
            "trusted.a",
            "system.posix_acl_access",
            "",
            "x",
            "user." + "n".repeat(251));

    private static final int IDS = 16;
    private static final int MOST_BYTES = 8192;

    private final FuseServer server;
    private final String share;
    private final Path outside;
    private final IntUnaryOperator choose;
    private final long[] nodes = new long[IDS];
    private final long[] handles = new long[IDS];
    private int told;
    private int opened;
    private long unique;
    private boolean lost;

    /**
     * @param share the shared folder's path
     * @param outside where it wants to go
     * @param choose a number from 0 on, less than the given one
     */
    WildGuest(FuseServer server, Path share, Path outside, IntUnaryOperator choose) {
        this.server = server;
        this.share = share.toString();
        this.outside = outside;
        this.choose = choose;
        nodes[told++] = FuseGuest.ROOT;
        walk();
    }

    private int any(int bound) {
        return choose.applyAsInt(bound);
    }

    private long number() {
        return NUMBERS[any(NUMBERS.length)];
    }

    private long node() {
        if (any(20) == 0) {
            return number();
        }
        long id = nodes[any(IDS)];
        return id == 0 ? nodes[1] : id;
    }

    private long handle() {
        return any(20) == 0 ? number() : handles[any(Math.clamp(opened, 1, IDS))];
    }

    private byte[] name() {
        return text(NAMES.get(any(NAMES.size())));
    }

    private static byte[] text(String s) {
        return (s + "\0").getBytes(ISO_8859_1);
    }

    private int permissions() {
        return any(4) == 0 ? (int) number() : 0x1FF & ~any(0x200);
    }

    /** Finds the shared folder again. */
    private void walk() {
        long at = FuseGuest.ROOT;
        for (String s : share.substring(1).split("/", -1)) {
            ByteBuffer r = call(Opcode.LOOKUP, at, text(s));
            at = r.remaining() >= 24 ? r.getLong(16) : 0;
        }
        if (at != 0) {
            nodes[1] = at;
        }
    }

    /** One request, or a few. */
    void step() {
        if (lost) {
            lost = false;
            walk();
        }
        switch (any(38)) {
            case 0 -> walk();
            case 1, 2, 3 -> entry(call(Opcode.LOOKUP, node(), name()));
            case 4 -> call(Opcode.GETATTR, node(), fixed(16, any(2), 0, handle()));
            case 5 -> call(Opcode.STATX, node(), fixed(24, any(2), 0, handle()));
            case 6 -> setattr();
            case 7 -> call(Opcode.READLINK, node(), new byte[0]);
            case 8 -> entry(call(Opcode.SYMLINK, node(), name(), target()));
            case 9 ->
                entry(call(Opcode.MKNOD, node(), ints(KINDS[any(KINDS.length)] | permissions(), 259, 0, 0), name()));
            case 10, 11 -> entry(call(Opcode.MKDIR, node(), ints(permissions(), 0), name()));
            case 12 -> call(Opcode.UNLINK, node(), name());
            case 13 -> call(Opcode.RMDIR, node(), name());
            case 14, 15 ->
                call(Opcode.RENAME2, node(), fixed(16, node(), any(4) == 0 ? number() : any(4)), name(), name());
            case 16 -> entry(call(Opcode.LINK, node(), fixed(8, node()), name()));
            case 17, 18 -> open(call(Opcode.OPEN, node(), ints(flags(), any(2))), 16);
            case 19, 20 -> create(call(Opcode.CREATE, node(), ints(flags(), permissions(), 0, any(2)), name()));
            case 21 -> create(call(Opcode.TMPFILE, node(), ints(flags(), permissions(), 0, 0), text("")));
            case 22, 23 -> isNotSecret(call(Opcode.READ, node(), fixed(40, handle(), number(), number())));
            case 24, 25 -> write();
            case 26 -> {
                long h = handle();
                call(any(2) == 0 ? Opcode.RELEASE : Opcode.RELEASEDIR, node(), fixed(24, h));
            }
            case 27 -> call(any(2) == 0 ? Opcode.FLUSH : Opcode.FSYNC, node(), fixed(24, handle(), any(2)));
            case 28 -> xattr();
            case 29 -> open(call(Opcode.OPENDIR, node(), ints(flags(), 0)), 16);
            case 30, 31 ->
                isNotSecret(call(
                        any(2) == 0 ? Opcode.READDIR : Opcode.READDIRPLUS,
                        node(),
                        fixed(40, handle(), any(2) == 0 ? 0 : number(), number())));
            case 32 ->
                call(Opcode.FALLOCATE, node(), fixed(32, handle(), number() & 0xFFFFF, number() & 0xFFFFF, any(64)));
            case 33 -> call(Opcode.LSEEK, node(), fixed(24, handle(), number(), any(6)));
            case 34 -> // little, for what is copied of a hole takes room
                call(
                        Opcode.COPY_FILE_RANGE,
                        node(),
                        fixed(56, handle(), number(), node(), handle(), number(), any(MOST_BYTES), any(2)));
            case 35 -> call(Opcode.FORGET, node(), fixed(8, number()));
            case 36 -> call(Opcode.BATCH_FORGET, 0, ints(any(4), 0), fixed(32, node(), number(), node(), number()));
            default -> rare();
        }
    }

    private void rare() {
        switch (any(8)) {
            case 0 -> {
                if (any(10) == 0) {
                    call(Opcode.INIT, 0, ints(7, any(60), 1 << 17, -1, -1), new byte[44]);
                }
            }
            case 1 -> {
                if (any(10) == 0) {
                    call(Opcode.DESTROY, 0, new byte[0]);
                }
            }
            case 2 -> call(Opcode.STATFS, node(), new byte[0]);
            case 3 -> call(Opcode.FSYNCDIR, node(), fixed(16, handle(), 1));
            default -> {
                int opcode = any(64);
                byte[] arguments = new byte[any(100)];
                for (int i = 0; i < arguments.length; i++) {
                    arguments[i] = (byte) any(256);
                }
                if (opcode != Opcode.SYNCFS
                        && opcode != Opcode.INIT
                        && opcode != Opcode.DESTROY
                        && opcode != Opcode.FALLOCATE
                        && opcode != Opcode.COPY_FILE_RANGE) {
                    call(opcode, node(), arguments);
                }
            }
        }
    }

    private byte[] target() {
        return switch (any(4)) {
            case 0 -> text(outside.toString());
            case 1 -> text("../outside/" + Outside.CANARY);
            case 2 -> text("");
            default -> text("a");
        };
    }

    private int flags() {
        return any(4) == 0 ? (int) number() : any(3) | (any(4) == 0 ? 0x200 : 0) | (any(4) == 0 ? 0x400 : 0);
    }

    private void setattr() {
        ByteBuffer b = FuseGuest.buffer(88);
        b.putInt(0, any(2) == 0 ? any(0x1000) : 1 << any(12))
                .putLong(8, handle())
                .putLong(16, number());
        b.putLong(32, number()).putLong(40, number()).putInt(56, (int) number()).putInt(60, (int) number());
        b.putInt(68, permissions()).putInt(76, (int) number()).putInt(80, (int) number());
        call(Opcode.SETATTR, node(), all(b));
    }

    private void write() {
        int bytes = any(200);
        long size = any(4) == 0 ? number() : bytes;
        byte[] data = new byte[bytes];
        call(
                Opcode.WRITE,
                node(),
                fixed(40, handle(), any(2) == 0 ? any(1000) : number(), size | (long) any(8) << 32),
                data);
    }

    private void xattr() {
        byte[] name = text(ATTRIBUTES.get(any(ATTRIBUTES.size())));
        byte[] value = text("0:0:04755");
        int size = any(3) == 0 ? (int) number() : value.length;
        switch (any(4)) {
            case 0 -> call(Opcode.SETXATTR, node(), ints(size, any(4)), name, value);
            case 1 -> call(Opcode.GETXATTR, node(), ints(size, 0), name);
            case 2 -> call(Opcode.LISTXATTR, node(), ints(size, 0));
            default -> call(Opcode.REMOVEXATTR, node(), name);
        }
    }

    // ---- replies

    private void entry(ByteBuffer r) {
        if (r.remaining() >= 16 + 128 && r.getLong(16) != 0) {
            nodes[2 + told++ % (IDS - 2)] = r.getLong(16);
        }
    }

    private void open(ByteBuffer r, int at) {
        if (r.remaining() >= at + 16) {
            handles[opened++ % IDS] = r.getLong(at);
        }
    }

    private void create(ByteBuffer r) {
        entry(r);
        open(r, 16 + 128);
    }

    private static void isNotSecret(ByteBuffer r) {
        assertThat(new String(all(r), ISO_8859_1)).doesNotContain(Outside.SECRET);
    }

    private ByteBuffer call(int opcode, long node, byte[]... arguments) {
        int bytes = 40;
        for (byte[] a : arguments) {
            bytes += a.length;
        }
        int missing = any(20) == 0 ? any(bytes - 39) : 0;
        ByteBuffer b = ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
        b.putInt(bytes)
                .putInt(opcode)
                .putLong(++unique)
                .putLong(node)
                .putInt(any(3) * 500)
                .putInt(any(3) * 500);
        b.putInt(1).putInt(any(30) == 0 ? any(4) : 0);
        for (byte[] a : arguments) {
            b.put(a);
        }
        byte[] request = new byte[bytes - missing];
        System.arraycopy(b.array(), 0, request, 0, request.length);
        int room = any(10) == 0 ? any(200) : MOST_BYTES;
        ByteExchange x = new ByteExchange(request, room, any(10) == 0 ? 1 + any(30) : MOST_BYTES);
        server.handle(x);
        assertThat(x.isCompleted()).isTrue();
        ByteBuffer r = ByteBuffer.wrap(x.reply()).order(ByteOrder.LITTLE_ENDIAN);
        if (r.remaining() > 0) {
            assertThat(r.getInt(0)).isEqualTo(r.remaining());
            assertThat(r.getInt(4)).isBetween(-4095, 0);
            if (r.getInt(4) == -Errno.ESTALE) {
                onStale(node);
            }
            assertThat(r.getLong(8)).isEqualTo(request.length >= 40 ? unique : 0);
        }
        return r;
    }

    private void onStale(long node) {
        lost |= node == nodes[1];
        for (int i = 2; i < IDS; i++) {
            nodes[i] = nodes[i] == node ? 0 : nodes[i];
        }
    }

    /** From its beginning to its capacity. */
    private static byte[] all(ByteBuffer b) {
        byte[] bytes = new byte[b.capacity()];
        b.duplicate().clear().get(bytes);
        return bytes;
    }

    private static byte[] ints(int... values) {
        ByteBuffer b = FuseGuest.buffer(4 * values.length);
        for (int v : values) {
            b.putInt(v);
        }
        return all(b);
    }

    private static byte[] fixed(int bytes, long... values) {
        ByteBuffer b = FuseGuest.buffer(bytes);
        for (long v : values) {
            if (b.remaining() >= 8) {
                b.putLong(v);
            }
        }
        return all(b);
    }
}
