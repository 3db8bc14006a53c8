package dev.longshore.fileshare.fuse;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.fileshare.os.Open;
import dev.longshore.fileshare.os.Posix;
import dev.longshore.fileshare.os.Stat;
import dev.longshore.fileshare.share.Limits;
import dev.longshore.fileshare.share.Ownership;
import dev.longshore.fileshare.share.SharedFolder;
import dev.longshore.linux.Errno;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A guest that wants out of the folder that is shared with it, with somebody on the host who moves things about meanwhile. */
class ContainmentTest {
    private static final String SECRET = "secret";

    @TempDir
    Path host;

    @TempDir
    Path state;

    private Path folder;
    private Path outside;
    private FuseServer server;
    private FuseGuest guest;
    private long root;

    @BeforeEach
    void start() throws IOException {
        folder = Files.createDirectory(host.toRealPath().resolve("share"));
        outside = Files.createDirectory(host.toRealPath().resolve("outside"));
        Files.writeString(outside.resolve("f"), SECRET);
        // as few descriptors as there may be: nearly every request opens its files anew
        server = new FuseServer(
                List.of(new SharedFolder(folder)),
                Ownership.ofThisProcess(),
                new Limits(100_000, 16, 100),
                CacheTimes.AUTO,
                state);
        guest = new FuseGuest(server);
        guest.init().ok();
        root = guest.walk(folder.toString()).node();
    }

    @AfterEach
    void stop() throws IOException {
        server.close();
    }

    /** So much else is opened that nothing opened before is open still. */
    private void evictAll() throws IOException {
        Path other = folder.resolve("other");
        if (!Files.exists(other)) {
            Files.createDirectory(other);
            for (int i = 0; i < 40; i++) {
                Files.writeString(other.resolve("o" + i), "");
            }
        }
        long o = guest.lookup(root, "other").node();
        for (int i = 0; i < 40; i++) {
            long f = guest.lookup(o, "o" + i).node();
            guest.listxattr(f, 0);
        }
    }

    @Test
    void linkInTheFolder_isNotFollowed() throws IOException {
        Files.createSymbolicLink(folder.resolve("out"), outside);
        Files.createSymbolicLink(folder.resolve("file"), outside.resolve("f"));
        long out = guest.lookup(root, "out").node();
        assertThat(guest.lookupReply(out, "f").error()).isEqualTo(Errno.ENOTDIR);
        assertThat(guest.call(Opcode.OPENDIR, out, new byte[8]).error()).isEqualTo(Errno.ENOTDIR);
        assertThat(guest.createReply(out, "new", Open.O_RDWR, 0x1A4).error()).isEqualTo(Errno.ENOTDIR);
        long file = guest.lookup(root, "file").node();
        assertThat(guest.open(file, Open.O_RDONLY).error()).isEqualTo(Errno.ENXIO);
        assertThat(guest.truncate(file, 0, 0).error()).isEqualTo(Errno.EINVAL);
        guest.setattr(file, -1, -1, 0x1FF);
        assertThat(Files.readString(outside.resolve("f"))).isEqualTo(SECRET);
        assertThat((int) Files.getAttribute(outside.resolve("f"), "unix:mode") & 0x1FF)
                .isNotEqualTo(0x1FF);
    }

    @Test
    void directoryThatBecomesALink_isStale() throws IOException {
        Files.createDirectory(folder.resolve("d"));
        Files.writeString(folder.resolve("d/f"), "mine");
        long d = guest.lookup(root, "d").node();
        long f = guest.lookup(d, "f").node();
        evictAll();
        Files.move(folder.resolve("d"), folder.resolve("e"));
        Files.createSymbolicLink(folder.resolve("d"), outside);
        assertThat(guest.lookupReply(d, "f").error()).isEqualTo(Errno.ESTALE);
        assertThat(guest.open(f, Open.O_RDONLY).error()).isEqualTo(Errno.ESTALE);
        assertThat(guest.getattrReply(f).error()).isEqualTo(Errno.ESTALE);
        assertThat(guest.createReply(d, "new", Open.O_RDWR, 0x1A4).error()).isEqualTo(Errno.ESTALE);
        assertThat(guest.unlink(d, "f").error()).isEqualTo(Errno.ESTALE);
        assertThat(outside.resolve("new")).doesNotExist();
        long moved = guest.lookup(guest.lookup(root, "e").node(), "f").node();
        assertThat(moved).isEqualTo(f);
        assertThat(guest.open(f, Open.O_RDONLY).error()).isZero();
    }

    @Test
    void whatIsMovedOut_isStale_thoughItWasOpen() throws IOException {
        Files.createDirectories(folder.resolve("d/e"));
        Files.writeString(folder.resolve("d/f"), "mine");
        long d = guest.lookup(root, "d").node();
        long e = guest.lookup(d, "e").node();
        long f = guest.lookup(d, "f").node();
        for (long node : new long[] {d, e, f}) {
            guest.listxattr(node, 0).ok(); // opens it
        }
        Files.move(folder.resolve("d"), outside.resolve("d"));
        Files.writeString(outside.resolve("d/secret"), SECRET);
        assertThat(guest.lookupReply(d, "secret").error()).isEqualTo(Errno.ESTALE);
        assertThat(guest.call(Opcode.OPENDIR, d, new byte[8]).error()).isEqualTo(Errno.ESTALE);
        assertThat(guest.open(f, Open.O_RDONLY).error()).isEqualTo(Errno.ESTALE);
        assertThat(guest.getattrReply(f).error()).isEqualTo(Errno.ESTALE);
        assertThat(guest.setattr(e, -1, -1, 0x1FF).error()).isEqualTo(Errno.ESTALE);
        assertThat(guest.createReply(e, "new", Open.O_RDWR, 0x1A4).error()).isEqualTo(Errno.ESTALE);
        assertThat(guest.rename(d, "secret", root, "secret", 0).error()).isEqualTo(Errno.ESTALE);
        assertThat(guest.link(f, root, "f").error()).isEqualTo(Errno.ESTALE);
        assertThat(outside.resolve("d/e")).isEmptyDirectory();
        assertThat(outside.resolve("d/secret")).hasContent(SECRET);

        Files.move(outside.resolve("d"), folder.resolve("back"));
        assertThat(guest.lookup(guest.lookup(root, "back").node(), "f").node()).isEqualTo(f);
        assertThat(guest.open(f, Open.O_RDONLY).error()).isZero();
        assertThat(guest.createReply(d, "new", Open.O_RDWR, 0x1A4).error()).isZero();

        Files.move(folder, folder.resolveSibling("moved"));
        assertThat(guest.open(f, Open.O_RDONLY).error()).isEqualTo(Errno.ESTALE);
        assertThat(guest.mkdirReply(root, "new", 0x1FF).error()).isEqualTo(Errno.ESTALE);
    }

    /** So deep that the kernel does not tell the path. */
    @Test
    void whatIsMovedOutDeepDown_isStale_thoughItWasOpen() throws IOException {
        String name = "d".repeat(200);
        long at = guest.mkdir(root, "top", 0x1FF).node();
        for (int i = 0; i < 30; i++) {
            at = guest.mkdir(at, name, 0x1FF).node();
        }
        long[] f = guest.create(at, "f", Open.O_RDWR, 0x1A4);
        guest.release(f[0], f[1]);
        guest.listxattr(f[0], 0).ok();
        guest.listxattr(at, 0).ok();
        assertThat(guest.mkdirReply(at, "x", 0x1FF).error()).isZero();
        Files.move(folder.resolve("top").resolve(name), outside.resolve("deep"));
        assertThat(guest.mkdirReply(at, "y", 0x1FF).error()).isEqualTo(Errno.ESTALE);
        assertThat(guest.open(f[0], Open.O_RDONLY).error()).isEqualTo(Errno.ESTALE);
        Files.move(
                outside.resolve("deep"),
                folder.resolve("top").resolve(name)); // else nobody could delete it by its path
        assertThat(guest.mkdirReply(at, "y", 0x1FF).error()).isZero();
        for (long node = guest.lookup(root, "top").node(); ; ) {
            FuseGuest.Reply next = guest.lookupReply(node, name);
            if (next.error() != 0 || next.u64(0) == 0) {
                break;
            }
            node = next.u64(0);
        }
        shorten("top", name);
    }

    /** Takes a tree that is too deep for paths apart. */
    private void shorten(String top, String name) throws IOException {
        Path base = folder.resolve(top);
        for (int i = 0; Files.exists(base.resolve(name)); i++) {
            Path next = folder.resolve("s" + i);
            Files.move(base.resolve(name), next);
            base = next;
        }
    }

    @Test
    void fileThatBecomesAnother_isStale_untilLookedUp() throws IOException {
        Path file = Files.writeString(folder.resolve("f"), "old");
        long old = guest.lookup(root, "f").node();
        evictAll();
        Path fresh = Files.writeString(folder.resolve("fresh"), "new");
        Files.move(fresh, file, StandardCopyOption.REPLACE_EXISTING);
        assertThat(guest.open(old, Open.O_RDONLY).error()).isEqualTo(Errno.ESTALE);
        long now = guest.lookup(root, "f").node();
        assertThat(now).isNotEqualTo(old);
        long handle = guest.open(now, Open.O_RDONLY).ok().u64(0);
        assertThat(guest.read(now, handle, 0, 10).text()).isEqualTo("new");
    }

    @Test
    void inodeNumberThatIsUsedAgain_isAnotherNode() throws IOException {
        for (int i = 0; i < 50; i++) {
            Path file = Files.writeString(folder.resolve("f"), "x");
            long ino = guest.lookup(root, "f").ino();
            long node = guest.lookup(root, "f").node();
            evictAll();
            Files.delete(file);
            Files.writeString(file, "y");
            FuseGuest.Entry e = guest.lookup(root, "f");
            assertThat(e.node()).isNotEqualTo(node);
            assertThat(guest.getattrReply(node).error()).isEqualTo(Errno.ESTALE);
            if (e.ino() == ino) {
                return; // it was the same number at least once
            }
            Files.delete(file);
        }
    }

    @Test
    void specialFiles_areNotOpened() {
        Posix posix = new Posix();
        int dir = posix.openat(
                Open.AT_FDCWD,
                posix.name(folder.toString().getBytes(StandardCharsets.UTF_8)),
                Open.O_PATH | Open.O_CLOEXEC,
                0);
        assertThat(posix.mknodat(dir, posix.name("fifo".getBytes(StandardCharsets.UTF_8)), Stat.S_IFIFO | 0x1B6, 0))
                .isZero();
        long fifo = guest.lookup(root, "fifo").node();
        assertThat(guest.open(fifo, Open.O_RDONLY).error()).isEqualTo(Errno.ENXIO);
        assertThat(guest.open(fifo, Open.O_WRONLY).error()).isEqualTo(Errno.ENXIO);
        assertThat(guest.truncate(fifo, 0, 0).error()).isEqualTo(Errno.EINVAL);
        assertThat(guest.createReply(root, "fifo", Open.O_WRONLY, 0x1A4).error())
                .isEqualTo(Errno.ESTALE);
        if (posix.mknodat(
                        dir,
                        posix.name("null".getBytes(StandardCharsets.UTF_8)),
                        Stat.S_IFCHR | 0x1B6,
                        Posix.makedev(1, 3))
                == 0) {
            assertThat(guest.open(guest.lookup(root, "null").node(), Open.O_RDWR)
                            .error())
                    .isEqualTo(Errno.ENXIO);
        }
        posix.close(dir);
        posix.close();
    }

    @Test
    void otherShare_isAnotherFileSystem() throws IOException {
        Path second = Files.createDirectory(host.toRealPath().resolve("second"));
        server.share(List.of(new SharedFolder(folder), new SharedFolder(second)));
        Files.writeString(folder.resolve("f"), "x");
        long f = guest.lookup(root, "f").node();
        long other = guest.walk(second.toString()).node();
        assertThat(guest.link(f, other, "f").error()).isEqualTo(Errno.EXDEV);
        assertThat(guest.rename(root, "f", other, "f", 0).error()).isEqualTo(Errno.EXDEV);
    }

    /** Two names on the host, a directory and a link to outside, change places all the time. */
    @Test
    @Timeout(60)
    void racesOfRenames_neverLeadOutside() throws Exception {
        Path inside = Files.createDirectory(folder.resolve("a"));
        Files.writeString(inside.resolve("f"), "inside");
        Files.createSymbolicLink(folder.resolve("b"), outside);
        Posix posix = new Posix();
        int dir = posix.openat(
                Open.AT_FDCWD,
                posix.name(folder.toString().getBytes(StandardCharsets.UTF_8)),
                Open.O_PATH | Open.O_CLOEXEC,
                0);
        AtomicBoolean done = new AtomicBoolean();
        Thread mover = Thread.ofPlatform().start(() -> {
            Posix p = new Posix();
            byte[] a = {'a'};
            byte[] b = {'b'};
            while (!done.get()) {
                p.renameat2(dir, p.name(a), dir, p.otherName(b), 2);
            }
        });
        int read = 0;
        int refused = 0;
        try {
            for (int i = 0; i < 20_000 && (read < 10 || refused < 1000); i++) {
                FuseGuest.Reply d = guest.lookupReply(root, i % 2 == 0 ? "a" : "b");
                if (d.error() != 0 || d.u64(0) == 0) {
                    continue;
                }
                long node = d.u64(0);
                guest.createReply(node, "new", Open.O_RDWR, 0x1A4);
                FuseGuest.Reply f = guest.lookupReply(node, "f");
                if (f.error() != 0 || f.u64(0) == 0) {
                    refused++;
                    continue;
                }
                FuseGuest.Reply open = guest.open(f.u64(0), Open.O_RDONLY);
                if (open.error() == 0) {
                    assertThat(guest.read(f.u64(0), open.u64(0), 0, 100).text()).isEqualTo("inside");
                    guest.release(f.u64(0), open.u64(0));
                    read++;
                }
                guest.unlink(node, "new");
            }
        } finally {
            done.set(true);
            mover.join();
            posix.close(dir);
        }
        assertThat(outside.resolve("new")).doesNotExist();
        assertThat(Files.readString(outside.resolve("f"))).isEqualTo(SECRET);
        assertThat(read).isPositive();
        assertThat(refused).isPositive();
    }

    /** What was moved out on the host is not opened again from where it was. */
    @Test
    void movedOut_isStaleOnceClosed() throws IOException {
        Files.createDirectory(folder.resolve("d"));
        Files.writeString(folder.resolve("d/f"), "mine");
        long f = guest.lookup(guest.lookup(root, "d").node(), "f").node();
        evictAll();
        Files.move(folder.resolve("d"), outside.resolve("d"));
        assertThat(guest.open(f, Open.O_RDONLY).error()).isEqualTo(Errno.ESTALE);
    }
}
