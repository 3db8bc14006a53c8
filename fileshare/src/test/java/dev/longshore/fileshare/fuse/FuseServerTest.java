package dev.longshore.fileshare.fuse;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.longshore.fileshare.os.Open;
import dev.longshore.fileshare.os.Stat;
import dev.longshore.fileshare.share.Limits;
import dev.longshore.fileshare.share.Ownership;
import dev.longshore.fileshare.share.SharedFolder;
import dev.longshore.linux.Errno;
import java.io.IOException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The operations one by one, on a temporary folder of the host. */
class FuseServerTest {
    private static final Limits LIMITS = new Limits(10_000, 16, 50);

    @TempDir
    Path host;

    @TempDir
    Path state;

    private Path folder;
    private FuseServer server;
    private FuseGuest guest;
    private long root;

    @BeforeEach
    void start() throws IOException {
        folder = Files.createDirectory(host.toRealPath().resolve("share"));
        server = new FuseServer(
                List.of(new SharedFolder(folder)), Ownership.ofThisProcess(), LIMITS, CacheTimes.AUTO, state);
        guest = new FuseGuest(server).as(myUid(), myGid());
        guest.init().ok();
        root = guest.walk(folder.toString()).node();
    }

    private int myUid() throws IOException {
        return (int) Files.getAttribute(folder, "unix:uid");
    }

    private int myGid() throws IOException {
        return (int) Files.getAttribute(folder, "unix:gid");
    }

    @AfterEach
    void stop() throws IOException {
        server.close();
        assertThat(server.descriptorCount()).isZero();
    }

    // ---- INIT

    @Test
    void init_asksForWhatIsServed_andNoLocks() {
        FuseGuest.Reply r = guest.init().ok();
        assertThat(r.u32(0)).isEqualTo(7);
        assertThat(r.u32(4)).isEqualTo(41);
        assertThat(r.u32(20)).isEqualTo(1 << 20);
        int posixLocks = 1 << 1;
        int flockLocks = 1 << 10;
        int writebackCache = 1 << 16;
        assertThat(r.u32(12) & (posixLocks | flockLocks | writebackCache)).isZero();
    }

    @Test
    void init_ofAnOldKernel_isRefused() {
        byte[] old = FuseGuest.buffer(64).putInt(7).putInt(12).array();
        assertThat(guest.call(Opcode.INIT, 0, old).error()).isEqualTo(Errno.EPROTO);
    }

    @Test
    void init_ofANewerMajor_isAnsweredWithOurs() {
        byte[] newer = FuseGuest.buffer(64).putInt(8).putInt(1).array();
        assertThat(guest.call(Opcode.INIT, 0, newer).ok().u32(0)).isEqualTo(7);
        assertThat(guest.getattrReply(root).error()).isZero();
    }

    @Test
    void init_again_forgetsEverything() throws IOException {
        Files.writeString(folder.resolve("f"), "x");
        long f = guest.lookup(root, "f").node();
        long handle = guest.open(f, Open.O_RDONLY).ok().u64(0);
        guest.init().ok();
        assertThat(guest.getattrReply(f).error()).isEqualTo(Errno.ESTALE);
        assertThat(guest.read(f, handle, 0, 1).error()).isEqualTo(Errno.EBADF);
        assertThat(guest.walk(folder + "/f").size()).isEqualTo(1);
    }

    // ---- the virtual directories

    @Test
    void ancestors_showOnlyWhatLeadsToSharedFolders() {
        FuseGuest.Entry parent = guest.walk(host.toString());
        assertThat(guest.list(parent.node(), true, 4096))
                .extracting(FuseGuest.Listed::name)
                .containsExactly(".", "..", "share");
        assertThat(guest.list(parent.node(), false, 4096)).hasSize(3);
        assertThat(parent.mode()).isEqualTo(Stat.S_IFDIR | 0x16D);
        assertThat(guest.lookupReply(FuseGuest.ROOT, "etc").error()).isEqualTo(Errno.ENOENT);
        assertThat(guest.mkdirReply(parent.node(), "x", 0x1FF).error()).isEqualTo(Errno.EROFS);
        assertThat(guest.unlink(parent.node(), "share").error()).isEqualTo(Errno.EROFS);
        assertThat(guest.rename(parent.node(), "share", parent.node(), "b", 0).error())
                .isEqualTo(Errno.EROFS);
        assertThat(guest.setattr(parent.node(), 1, 1, 0).error()).isEqualTo(Errno.EROFS);
        assertThat(guest.getxattr(parent.node(), "user.x", 10).error()).isEqualTo(Errno.EOPNOTSUPP);
        assertThat(guest.open(parent.node(), 0).error()).isEqualTo(Errno.EISDIR);
    }

    @Test
    void share_whatIsNoLongerShared_isStale() throws IOException {
        Files.writeString(folder.resolve("f"), "x");
        long f = guest.lookup(root, "f").node();
        long handle = guest.open(f, Open.O_RDONLY).ok().u64(0);
        Path other = Files.createDirectory(host.toRealPath().resolve("other"));
        server.share(List.of(new SharedFolder(other)));
        assertThat(guest.getattrReply(f).error()).isEqualTo(Errno.ESTALE);
        assertThat(guest.getattrReply(root).error()).isEqualTo(Errno.ESTALE);
        assertThat(guest.read(f, handle, 0, 1).error()).isEqualTo(Errno.EBADF);
        guest.release(f, handle).ok();
        assertThat(guest.list(guest.walk(host.toString()).node(), true, 4096))
                .extracting(FuseGuest.Listed::name)
                .containsExactly(".", "..", "other");
        server.share(List.of(new SharedFolder(folder)));
        assertThat(guest.walk(folder + "/f").size()).isEqualTo(1);
    }

    @Test
    void share_aFolderAboveOneThatIsShared_coversItAndKeepsItsNodes() throws IOException {
        Files.writeString(folder.resolve("f"), "x");
        long f = guest.lookup(root, "f").node();
        server.share(List.of(new SharedFolder(folder), new SharedFolder(host.toRealPath())));
        assertThat(guest.getattr(f).size()).isEqualTo(1);
        long above = guest.walk(host.toRealPath().toString()).node();
        assertThat(guest.mkdir(above, "new", 0x1ED).ino()).isNotZero();
        assertThat(guest.walk(folder + "/f").size()).isEqualTo(1);
    }

    @Test
    void share_ofWhatIsNotThereYet_isAbsentUntilItIs() throws IOException {
        Path later = host.toRealPath().resolve("later");
        server.share(List.of(new SharedFolder(later)));
        long parent = guest.walk(host.toString()).node();
        assertThat(guest.lookupReply(parent, "later").error()).isEqualTo(Errno.ENOENT);
        assertThat(guest.list(parent, true, 4096)).hasSize(2);
        Files.createDirectory(later);
        long first = guest.lookup(parent, "later").node();
        assertThat(guest.mkdir(first, "d", 0x1ED).mode() & Stat.S_IFMT).isEqualTo(Stat.S_IFDIR);
        Files.delete(later.resolve("d"));
        Files.delete(later);
        assertThat(guest.lookupReply(parent, "later").error()).isEqualTo(Errno.ENOENT);
        Files.createDirectory(later);
        assertThat(guest.lookup(parent, "later").node()).isNotEqualTo(first);
        assertThat(guest.getattrReply(first).error()).isEqualTo(Errno.ESTALE);
    }

    @Test
    void share_readOnly_canBeReadOnly() throws IOException {
        Files.writeString(folder.resolve("f"), "x");
        server.share(List.of(new SharedFolder(folder, false, true)));
        long r = guest.walk(folder.toString()).node();
        long f = guest.lookup(r, "f").node();
        assertThat(guest.open(f, Open.O_RDONLY).error()).isZero();
        assertThat(guest.open(f, Open.O_RDWR).error()).isEqualTo(Errno.EROFS);
        assertThat(guest.open(f, Open.O_TRUNC).error()).isEqualTo(Errno.EROFS);
        assertThat(guest.createReply(r, "g", Open.O_RDWR, 0x1A4).error()).isEqualTo(Errno.EROFS);
        assertThat(guest.unlink(r, "f").error()).isEqualTo(Errno.EROFS);
        assertThat(guest.setattr(f, -1, -1, 0).error()).isEqualTo(Errno.EROFS);
        assertThat(guest.setxattr(f, "user.a", "b").error()).isEqualTo(Errno.EROFS);
    }

    // ---- names

    @Test
    void lookup_tellsTheHostsInode() throws IOException {
        Files.writeString(folder.resolve("f"), "hello");
        FuseGuest.Entry e = guest.lookup(root, "f");
        assertThat(e.ino()).isEqualTo(Files.getAttribute(folder.resolve("f"), "unix:ino"));
        assertThat(e.size()).isEqualTo(5);
        assertThat(e.mode() & Stat.S_IFMT).isEqualTo(Stat.S_IFREG);
        assertThat(guest.lookup(root, "f").node()).isEqualTo(e.node());
    }

    @Test
    void lookup_ofNothing_mayBeRemembered() {
        FuseGuest.Reply r = guest.lookupReply(root, "nothing").ok();
        assertThat(r.u64(0)).isZero();
        assertThat(r.u64(16)).isEqualTo(1);
    }

    @Test
    void names_thatAreNone_areRefused() {
        for (String bad : List.of("", ".", "..", "a/b", "/", "../x")) {
            assertThat(guest.lookupReply(root, bad).error()).as(bad).isEqualTo(Errno.EINVAL);
            assertThat(guest.mkdirReply(root, bad, 0x1FF).error()).as(bad).isEqualTo(Errno.EINVAL);
            assertThat(guest.unlink(root, bad).error()).as(bad).isEqualTo(Errno.EINVAL);
            assertThat(guest.rename(root, "a", root, bad, 0).error()).as(bad).isEqualTo(Errno.EINVAL);
        }
        assertThat(guest.lookupReply(root, "x".repeat(256)).error()).isEqualTo(Errno.ENAMETOOLONG);
        assertThat(guest.lookupReply(root, "x".repeat(255)).error()).isZero();
        byte[] unterminated = "abc".getBytes(UTF_8);
        assertThat(guest.call(Opcode.LOOKUP, root, unterminated).error()).isEqualTo(Errno.EINVAL);
    }

    @Test
    void unknownIds_areStaleOrBad() {
        assertThat(guest.getattrReply(99_999).error()).isEqualTo(Errno.ESTALE);
        assertThat(guest.lookupReply(99_999, "a").error()).isEqualTo(Errno.ESTALE);
        assertThat(guest.read(root, 99_999, 0, 10).error()).isEqualTo(Errno.EBADF);
        assertThat(guest.release(root, 99_999).error()).isEqualTo(Errno.EBADF);
        guest.forget(99_999, 1);
    }

    @Test
    void forget_letsGo_andTheNameLeadsToANewNode() throws IOException {
        Files.writeString(folder.resolve("f"), "x");
        int before = server.nodeCount();
        long f = guest.lookup(root, "f").node();
        guest.lookup(root, "f");
        guest.forget(f, 1);
        assertThat(guest.getattrReply(f).error()).isZero();
        guest.forget(f, 1);
        assertThat(guest.getattrReply(f).error()).isEqualTo(Errno.ESTALE);
        assertThat(server.nodeCount()).isEqualTo(before);
    }

    @Test
    void nodes_areLimited() throws IOException {
        server.close();
        server = new FuseServer(
                List.of(new SharedFolder(folder)),
                Ownership.ofThisProcess(),
                new Limits(folder.getNameCount() + 3, 16, 2),
                CacheTimes.AUTO,
                state);
        guest = new FuseGuest(server).as(myUid(), myGid());
        root = guest.walk(folder.toString()).node();
        Files.writeString(folder.resolve("a"), "");
        Files.writeString(folder.resolve("b"), "");
        Files.writeString(folder.resolve("c"), "");
        long a = guest.lookup(root, "a").node();
        guest.lookup(root, "b");
        assertThat(guest.lookupReply(root, "c").error()).isEqualTo(Errno.ENOMEM);
        assertThat(guest.list(root, true, 4096))
                .filteredOn(l -> l.name().equals("c"))
                .allMatch(l -> l.node() == 0);
        guest.open(a, 0).ok();
        guest.open(a, 0).ok();
        assertThat(guest.open(a, 0).error()).isEqualTo(Errno.ENFILE);
    }

    @Test
    void descriptors_areLimited_andFilesAreFoundAgain() throws IOException {
        List<Long> nodes = new ArrayList<>();
        Path deep = folder;
        for (int i = 0; i < 100; i++) {
            deep = Files.createDirectory(deep.resolve("d" + i));
            Files.writeString(deep.resolve("f"), "x".repeat(i));
        }
        String path = folder.toString();
        for (int i = 0; i < 100; i++) {
            path += "/d" + i;
            nodes.add(guest.walk(path + "/f").node());
        }
        for (int round = 0; round < 3; round++) {
            for (int i = 99; i >= 0; i--) {
                long f = nodes.get(i);
                long handle = guest.open(f, Open.O_RDONLY).ok().u64(0);
                assertThat(guest.read(f, handle, 0, 200).bytes()).hasSize(i);
                assertThat(server.descriptorCount()).isLessThanOrEqualTo(17);
                guest.release(f, handle).ok();
            }
        }
    }

    @Test
    void unlinked_whileKnown_canStillBeUsed() throws IOException {
        Files.writeString(folder.resolve("f"), "hello");
        long f = guest.lookup(root, "f").node();
        guest.unlink(root, "f").ok();
        for (int i = 0; i < 100; i++) { // so many others that its descriptor would be the oldest
            long[] g = guest.create(root, "g" + i, Open.O_WRONLY, 0x1A4);
            guest.release(g[0], g[1]).ok();
        }
        assertThat(guest.getattr(f).links()).isZero();
        assertThat(guest.setattr(f, -1, -1, 0x180).error()).isZero();
        long handle = guest.open(f, Open.O_RDONLY).ok().u64(0);
        assertThat(guest.read(f, handle, 0, 10).text()).isEqualTo("hello");
        guest.release(f, handle).ok();
        int open = server.descriptorCount();
        guest.forget(f, 1);
        assertThat(server.descriptorCount()).isEqualTo(open - 1);
    }

    @Test
    void renamed_isFoundUnderItsNewName() throws IOException {
        Files.createDirectory(folder.resolve("d"));
        Files.createDirectory(folder.resolve("e"));
        Files.writeString(folder.resolve("d/f"), "hello");
        long d = guest.lookup(root, "d").node();
        long e = guest.lookup(root, "e").node();
        long f = guest.lookup(d, "f").node();
        guest.rename(d, "f", e, "g", 0).ok();
        guest.rename(root, "e", d, "e", 0).ok();
        for (int i = 0; i < 50; i++) {
            guest.mkdir(root, "x" + i, 0x1ED);
            guest.setattr(guest.lookup(root, "x" + i).node(), -1, -1, 0x1C0).ok();
        }
        assertThat(guest.open(f, 0).error()).isZero();
        assertThat(Files.readString(folder.resolve("d/e/g"))).isEqualTo("hello");
    }

    @Test
    void rename_flags() throws IOException {
        Files.writeString(folder.resolve("a"), "A");
        Files.writeString(folder.resolve("b"), "B");
        long a = guest.lookup(root, "a").node();
        long b = guest.lookup(root, "b").node();
        assertThat(guest.rename(root, "a", root, "b", 1).error()).isEqualTo(Errno.EEXIST);
        guest.rename(root, "a", root, "b", 2).ok();
        assertThat(Files.readString(folder.resolve("a"))).isEqualTo("B");
        assertThat(guest.lookup(root, "a").node()).isEqualTo(b);
        assertThat(guest.lookup(root, "b").node()).isEqualTo(a);
        assertThat(guest.rename(root, "a", root, "c", 4).error()).isEqualTo(Errno.EINVAL);
    }

    @Test
    void link_rmdir_symlink() throws IOException {
        Files.writeString(folder.resolve("a"), "A");
        long a = guest.lookup(root, "a").node();
        guest.link(a, root, "b").ok();
        assertThat(guest.getattr(a).links()).isEqualTo(2);
        guest.symlink(root, "l", "../../etc/passwd").ok();
        FuseGuest.Entry l = guest.lookup(root, "l");
        assertThat(l.mode() & Stat.S_IFMT).isEqualTo(Stat.S_IFLNK);
        assertThat(guest.call(Opcode.READLINK, l.node(), new byte[0]).ok().text())
                .isEqualTo("../../etc/passwd");
        assertThat(guest.lookupReply(l.node(), "x").error()).isEqualTo(Errno.ENOTDIR);
        assertThat(guest.open(l.node(), 0).error()).isEqualTo(Errno.ENXIO);
        guest.mkdir(root, "d", 0x1ED);
        assertThat(guest.rmdir(root, "a").error()).isEqualTo(Errno.ENOTDIR);
        assertThat(guest.unlink(root, "d").error()).isEqualTo(Errno.EISDIR);
        guest.rmdir(root, "d").ok();
        assertThat(Files.exists(folder.resolve("d"))).isFalse();
    }

    // ---- content

    @Test
    void data_goesThroughPiecesOfMemory_whole() {
        byte[] data = new byte[100_000];
        new Random(7).nextBytes(data);
        for (int piece : new int[] {1 << 20, 4096, 1000, 33}) {
            guest.inPieces(piece);
            long[] f = guest.create(root, "f" + piece, Open.O_RDWR, 0x1A4);
            assertThat(guest.write(f[0], f[1], 10, data).ok().u32(0)).isEqualTo(data.length);
            byte[] read = guest.read(f[0], f[1], 10, 120_000).ok().bytes();
            assertThat(read).isEqualTo(data);
            assertThat(guest.read(f[0], f[1], data.length + 10, 10).ok().bytes())
                    .isEmpty();
            guest.release(f[0], f[1]).ok();
        }
    }

    @Test
    void write_ofAnAppendingFile_goesToItsEndNow() throws IOException {
        long[] f = guest.create(root, "log", Open.O_WRONLY | Open.O_APPEND, 0x1A4);
        guest.write(f[0], f[1], 0, "one".getBytes(UTF_8)).ok();
        Files.writeString(folder.resolve("log"), "two", java.nio.file.StandardOpenOption.APPEND);
        guest.write(f[0], f[1], 3, "three".getBytes(UTF_8)).ok();
        assertThat(Files.readString(folder.resolve("log"))).isEqualTo("onetwothree");
        assertThat(server.counters().bytesWritten()).isEqualTo(8);
        assertThat(server.handleCount()).isEqualTo(1);
    }

    @Test
    void write_toWhatIsOpenForReading_isRefused() throws IOException {
        Files.writeString(folder.resolve("f"), "x");
        long f = guest.lookup(root, "f").node();
        long handle = guest.open(f, Open.O_RDONLY).ok().u64(0);
        assertThat(guest.write(f, handle, 0, new byte[1]).error()).isEqualTo(Errno.EBADF);
        byte[] lies =
                FuseGuest.buffer(41).putLong(handle).putLong(0).putInt(1000).array();
        assertThat(guest.call(Opcode.WRITE, f, lies).error()).isEqualTo(Errno.EBADF);
        long writable = guest.open(f, Open.O_RDWR).ok().u64(0);
        lies = FuseGuest.buffer(41).putLong(writable).putLong(0).putInt(1000).array();
        assertThat(guest.call(Opcode.WRITE, f, lies).error()).isEqualTo(Errno.EINVAL);
    }

    @Test
    void create_ofWhatIsThere() throws IOException {
        Files.writeString(folder.resolve("f"), "hello");
        assertThat(guest.createReply(root, "f", Open.O_RDWR | Open.O_EXCL, 0x1A4)
                        .error())
                .isEqualTo(Errno.EEXIST);
        long[] f = guest.create(root, "f", Open.O_RDWR, 0x1A4);
        assertThat(guest.read(f[0], f[1], 0, 9).text()).isEqualTo("hello");
        Files.createSymbolicLink(folder.resolve("l"), Path.of("/etc/passwd"));
        assertThat(guest.createReply(root, "l", Open.O_RDWR, 0x1A4).error()).isEqualTo(Errno.ESTALE);
    }

    @Test
    void tmpfile_canBeLinked() throws IOException {
        FuseGuest.Reply r = guest.call(
                Opcode.TMPFILE,
                root,
                FuseGuest.with(FuseGuest.buffer(16).putInt(Open.O_RDWR).putInt(0x1A4), "/"));
        r.ok();
        guest.write(r.u64(0), r.u64(128), 0, "hello".getBytes(UTF_8)).ok();
        assertThat(guest.getattr(r.u64(0)).links()).isZero();
        guest.link(r.u64(0), root, "now").ok();
        assertThat(Files.readString(folder.resolve("now"))).isEqualTo("hello");
        guest.release(r.u64(0), r.u64(128)).ok();
        assertThat(guest.getattr(r.u64(0)).size()).isEqualTo(5);
    }

    @Test
    void truncate_fallocate_lseek_copy() throws IOException {
        long[] f = guest.create(root, "f", Open.O_RDWR, 0x1A4);
        guest.write(f[0], f[1], 0, new byte[10]).ok();
        guest.truncate(f[0], 1 << 20, 0).ok();
        assertThat(guest.getattr(f[0]).size()).isEqualTo(1 << 20);
        byte[] hole = FuseGuest.buffer(24).putLong(f[1]).putLong(0).putInt(4).array();
        assertThat(guest.call(Opcode.LSEEK, f[0], hole).ok().u64(0)).isBetween(10L, 1L << 20);
        byte[] allocate = FuseGuest.buffer(32)
                .putLong(f[1])
                .putLong(0)
                .putLong(2 << 20)
                .putInt(0)
                .array();
        guest.call(Opcode.FALLOCATE, f[0], allocate).ok();
        assertThat(Files.size(folder.resolve("f"))).isEqualTo(2 << 20);
        byte[] collapse = FuseGuest.buffer(32)
                .putLong(f[1])
                .putLong(0)
                .putLong(4096)
                .putInt(8)
                .array();
        assertThat(guest.call(Opcode.FALLOCATE, f[0], collapse).error()).isEqualTo(Errno.EOPNOTSUPP);
        guest.write(f[0], f[1], 0, "hello".getBytes(UTF_8)).ok();
        long[] g = guest.create(root, "g", Open.O_RDWR, 0x1A4);
        byte[] copy = FuseGuest.buffer(56)
                .putLong(f[1])
                .putLong(1)
                .putLong(g[0])
                .putLong(g[1])
                .putLong(0)
                .putLong(4)
                .array();
        assertThat(guest.call(Opcode.COPY_FILE_RANGE, f[0], copy).ok().u32(0)).isEqualTo(4);
        assertThat(Files.readString(folder.resolve("g"))).isEqualTo("ello");
    }

    @Test
    void open_ofAnUnchangedFile_keepsTheGuestsCache() throws IOException {
        Path file = Files.writeString(folder.resolve("f"), "hello");
        long f = guest.lookup(root, "f").node();
        int keep = 2;
        assertThat(guest.open(f, 0).ok().u32(8) & keep).isZero();
        // just changed: it may change again without its time telling
        assertThat(guest.open(f, 0).ok().u32(8) & keep).isZero();
        Files.writeString(file, "other");
        assertThat(guest.open(f, 0).ok().u32(8) & keep).isZero();
    }

    /** FOPEN_NOFLUSH: where the tests' folder is, nothing can go wrong after a write. */
    @Test
    void open_onADiskOfThisComputer_needsNoFlush() throws IOException {
        int noFlush = 1 << 5;
        Files.writeString(folder.resolve("f"), "hello");
        long f = guest.lookup(root, "f").node();
        assertThat(guest.open(f, Open.O_RDONLY).ok().u32(8) & noFlush).isNotZero();
        assertThat(guest.open(f, Open.O_RDWR).ok().u32(8) & noFlush).isNotZero();
        assertThat(guest.open(f, Open.O_WRONLY | Open.O_TRUNC).ok().u32(8) & noFlush)
                .isNotZero();
    }

    @Test
    void flushAndSync() {
        long[] f = guest.create(root, "f", Open.O_RDWR, 0x1A4);
        byte[] handle = FuseGuest.buffer(24).putLong(f[1]).array();
        guest.call(Opcode.FLUSH, f[0], handle).ok();
        guest.call(Opcode.FSYNC, f[0], handle).ok();
        long d = guest.opendir(root);
        guest.call(Opcode.FSYNCDIR, root, FuseGuest.buffer(16).putLong(d).array())
                .ok();
        assertThat(guest.call(
                                Opcode.FSYNC,
                                root,
                                FuseGuest.buffer(16).putLong(d).array())
                        .error())
                .isEqualTo(Errno.EBADF);
        assertThat(server.isSlow(Opcode.FSYNC)).isTrue();
        assertThat(server.isSlow(Opcode.LOOKUP)).isFalse();
        assertThat(server.isSlow(-5)).isFalse();
    }

    // ---- directories

    @Test
    void readdir_tellsEachNameOnce_howeverSmallTheReply() throws IOException {
        for (int i = 0; i < 300; i++) {
            Files.writeString(folder.resolve("n".repeat(1 + i % 200) + i), "");
        }
        for (int room : new int[] {512, 1000, 4096, 65536}) {
            for (boolean plus : new boolean[] {false, true}) {
                List<FuseGuest.Listed> all = guest.list(root, plus, room);
                assertThat(all).hasSize(302);
                assertThat(all.stream().map(FuseGuest.Listed::name).distinct()).hasSize(302);
            }
        }
        assertThat(guest.list(root, true, 4096)).allMatch(l -> l.name().startsWith(".") == (l.node() == 0));
    }

    // ---- attributes

    @Test
    void statx_tellsTheTimeOfBirth() throws IOException {
        Files.writeString(folder.resolve("f"), "hello");
        long f = guest.lookup(root, "f").node();
        FuseGuest.Reply r = guest.call(Opcode.STATX, f, new byte[24]).ok();
        assertThat(r.body().remaining()).isEqualTo(288);
        assertThat(r.u64(32 + 40)).isEqualTo(5);
        assertThat(r.u64(32 + 32)).isEqualTo(Files.getAttribute(folder.resolve("f"), "unix:ino"));
    }

    @Test
    void setattr_timesAndMode() throws IOException {
        Files.writeString(folder.resolve("f"), "hello");
        long f = guest.lookup(root, "f").node();
        byte[] times = FuseGuest.buffer(88)
                .putInt(0, 16 | 32)
                .putLong(32, 1000)
                .putLong(40, 2000)
                .putInt(60, 5)
                .array();
        guest.call(Opcode.SETATTR, f, times).ok();
        assertThat(Files.getLastModifiedTime(folder.resolve("f")).toInstant().getEpochSecond())
                .isEqualTo(2000);
        FuseGuest.Entry e = FuseGuest.attr(f, guest.setattr(f, -1, -1, 0x100).ok());
        assertThat(e.mode() & 0xFFF).isEqualTo(0x100);
        assertThat(guest.call(Opcode.SETATTR, f, new byte[10]).error()).isEqualTo(Errno.EINVAL);
    }

    /** Asked of the host, so that no answer of the server's makes a test pass over it. */
    private void assumeAttributesOfUsers() throws IOException {
        Path probe = Files.createFile(state.resolve("probe"));
        boolean has = true;
        try {
            Files.setAttribute(probe, "user:probe", new byte[] {1});
        } catch (FileSystemException | UnsupportedOperationException e) {
            has = false;
        } finally {
            Files.delete(probe);
        }
        assumeTrue(has, "the temporary folder's file system has no attributes of users");
    }

    @Test
    void xattrs_butTheOneOfOverridesAndLists() throws IOException {
        Files.writeString(folder.resolve("f"), "hello");
        long f = guest.lookup(root, "f").node();
        assumeAttributesOfUsers();
        guest.setxattr(f, "user.color", "blue").ok();
        assertThat(guest.getxattr(f, "user.color", 100).ok().text()).isEqualTo("blue");
        assertThat(guest.getxattr(f, "user.color", 0).ok().u32(0)).isEqualTo(4);
        assertThat(guest.getxattr(f, "user.color", 2).error()).isEqualTo(Errno.ERANGE);
        assertThat(guest.listxattr(f, 100).ok().text()).contains("user.color\0");
        assertThat(guest.listxattr(f, 2).error()).isEqualTo(Errno.ERANGE);
        String hidden = "user.containers.override_stat";
        assertThat(guest.setxattr(f, hidden, "0:0:0644").error()).isEqualTo(Errno.EPERM);
        Files.setAttribute(folder.resolve("f"), "user:containers.override_stat", "1:2:0600".getBytes(UTF_8));
        assertThat(guest.getxattr(f, hidden, 100).error()).isEqualTo(Errno.ENODATA);
        assertThat(guest.listxattr(f, 100).ok().text()).doesNotContain("override");
        assertThat(guest.call(Opcode.REMOVEXATTR, f, FuseGuest.name(hidden)).error())
                .isEqualTo(Errno.ENODATA);
        assertThat(guest.getxattr(f, "system.posix_acl_access", 100).error()).isEqualTo(Errno.EOPNOTSUPP);
        guest.call(Opcode.REMOVEXATTR, f, FuseGuest.name("user.color")).ok();
        assertThat(guest.getxattr(f, "user.color", 100).error()).isEqualTo(Errno.ENODATA);
    }

    @Test
    void devices_areOnesForTheGuestOnly() throws IOException {
        assumeAttributesOfUsers();
        guest.mknod(root, "disk", Stat.S_IFBLK | 0x1B0, 8 << 8).ok();
        assertThat(Files.isRegularFile(folder.resolve("disk"))).isTrue();
        FuseGuest.Entry e = guest.lookup(root, "disk");
        assertThat(e.mode()).isEqualTo(Stat.S_IFBLK | 0x1B0);
        assertThat(e.device()).isEqualTo(8 << 8);
        guest.setattr(e.node(), -1, -1, 0x180).ok();
        assertThat(guest.getattr(e.node()).mode()).isEqualTo(Stat.S_IFBLK | 0x180);
        guest.rename(root, "disk", root, "d2", 0).ok();
        assertThat(guest.list(root, true, 4096)).anyMatch(l -> l.name().equals("d2") && l.type() == 6);
    }

    @Test
    void statfs() {
        assertThat(guest.call(Opcode.STATFS, root, new byte[0]).ok().u64(0)).isPositive();
        assertThat(guest.call(Opcode.STATFS, 1, new byte[0]).ok().u32(44)).isEqualTo(255);
    }

    @Test
    void others_areNotSupported() {
        assertThat(guest.call(31, root, new byte[48]).error()).isEqualTo(Errno.ENOSYS); // GETLK
        assertThat(guest.call(Opcode.IOCTL, root, new byte[32]).error()).isEqualTo(Errno.ENOTTY);
        assertThat(guest.call(4096, root, new byte[0]).error()).isEqualTo(Errno.ENOSYS);
    }

    @Test
    void requests_thatAreTooShort_areRefused() {
        for (int bytes : new int[] {0, 1, 39}) {
            ByteExchange x = new ByteExchange(new byte[bytes], 1000, 16);
            server.handle(x);
            assertThat(x.reply()).hasSize(16);
        }
    }

    /** xfstests generic/355: a guest's kernel that believed the mode would show set-id bits that a write had taken away. */
    @Test
    void modeWithSetIdBits_isBelievedForNoTime() {
        long file = guest.create(root, "f", Open.O_RDWR, 0x1A4)[0];
        assertThat(believedSeconds(file)).isEqualTo(1);

        guest.setattr(file, -1, -1, 0x9ED).ok(); // 04755
        assertThat(believedSeconds(file)).isZero();
        assertThat(guest.lookupReply(root, "f").ok().u64(24)).isZero();
        guest.setattr(file, -1, -1, 0x5ED).ok(); // 02755
        assertThat(believedSeconds(file)).isZero();
        guest.setattr(file, -1, -1, 0x1ED).ok();
        assertThat(believedSeconds(file)).isEqualTo(1);

        long directory = guest.mkdir(root, "d", 0x1ED).node();
        guest.setattr(directory, -1, -1, 0x5ED).ok();
        assertThat(believedSeconds(directory)).isEqualTo(1);
    }

    private long believedSeconds(long node) {
        return guest.getattrReply(node).ok().u64(0);
    }
}
