package dev.longshore.fileshare.fuse;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.fileshare.os.Open;
import dev.longshore.fileshare.os.Stat;
import dev.longshore.fileshare.share.Limits;
import dev.longshore.fileshare.share.Ownership;
import dev.longshore.fileshare.share.SharedFolder;
import dev.longshore.linux.Errno;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The guest's agent does again what somebody on the host did. */
class HostEventTest {
    private static final int SETATTR_MTIME = 1 << 5;

    @TempDir
    Path temp;

    @TempDir
    Path state;

    private Path folder;
    private FuseServer server;
    private FuseGuest guest;
    private FuseGuest agent;
    private long root;

    @BeforeEach
    void start() throws IOException {
        folder = Files.createDirectory(temp.toRealPath().resolve("share"));
        server = new FuseServer(
                List.of(new SharedFolder(folder)),
                List.of(folder.resolve("mine")),
                Ownership.ofThisProcess(),
                new Limits(1000, 16, 100),
                CacheTimes.AUTO,
                state);
        guest = new FuseGuest(server);
        agent = new FuseGuest(server);
        guest.init().ok();
        root = guest.walk(folder.toString()).node();
    }

    @AfterEach
    void stop() throws IOException {
        server.close();
    }

    private FuseGuest agent(int gid) {
        return agent.as(0, gid);
    }

    private Path write(String name) throws IOException {
        return Files.writeString(folder.resolve(name), name);
    }

    private static long validNanos(FuseGuest.Reply r) {
        return r.u64(16) * 1_000_000_000L + r.u32(32) + r.u64(24) * 1_000_000_000L + r.u32(36);
    }

    private static long node(FuseGuest.Reply r) {
        return r.ok().u64(0);
    }

    // ---- created

    @Test
    void created_isAbsentBeforeAndTheHostsFileAfter() throws IOException {
        write("new");

        FuseGuest.Reply before = agent(HostEventOps.CREATED).lookupReply(root, "new");
        assertThat(node(before)).isZero();
        assertThat(validNanos(before)).isZero();
        FuseGuest.Entry made = FuseGuest.Entry.of(
                agent.mknod(root, "new", Stat.S_IFREG | 0x180, 0).ok(), 0);
        assertThat(made.size()).isEqualTo(3);
        assertThat(guest.lookup(root, "new").node()).isEqualTo(made.node());
        assertThat(folder.resolve("new")).hasContent("new");
    }

    @Test
    void created_everyTypeIsTheHosts() throws IOException {
        Files.createDirectory(folder.resolve("d"));
        Files.createSymbolicLink(folder.resolve("l"), Path.of("d"));
        agent(HostEventOps.CREATED);

        assertThat(FuseGuest.Entry.of(agent.mkdirReply(root, "d", 0x1C0).ok(), 0)
                                .mode()
                        & Stat.S_IFMT)
                .isEqualTo(Stat.S_IFDIR);
        assertThat(FuseGuest.Entry.of(agent.symlink(root, "l", "x").ok(), 0).mode() & Stat.S_IFMT)
                .isEqualTo(Stat.S_IFLNK);
        assertThat(Files.readSymbolicLink(folder.resolve("l"))).hasToString("d");
    }

    @Test
    void created_whatIsNotThereIsRefusedAndNotMade() {
        agent(HostEventOps.CREATED);
        assertThat(agent.mknod(root, "none", Stat.S_IFREG | 0x180, 0).error()).isEqualTo(Errno.ENOENT);
        assertThat(agent.mkdirReply(root, "none", 0x1C0).error()).isEqualTo(Errno.ENOENT);
        assertThat(agent.symlink(root, "none", "x").error()).isEqualTo(Errno.ENOENT);
        assertThat(folder).isEmptyDirectory();
    }

    @Test
    void created_directoryThatTheGuestKnowsStaysWhereItIs() throws IOException {
        Files.createDirectory(folder.resolve("d"));
        long known = guest.lookup(root, "d").node();

        assertThat(node(agent(HostEventOps.CREATED).lookupReply(root, "d"))).isEqualTo(known);
    }

    // ---- gone

    @Test
    void gone_isWhatTheGuestKnewBeforeAndNothingAfter() throws IOException {
        write("old");
        long known = guest.lookup(root, "old").node();
        Files.delete(folder.resolve("old"));

        FuseGuest.Reply before = agent(HostEventOps.FILE_GONE).lookupReply(root, "old");
        assertThat(node(before)).isEqualTo(known);
        assertThat(validNanos(before)).isZero();
        agent.unlink(root, "old").ok();
        assertThat(node(guest.lookupReply(root, "old"))).isZero();
    }

    @Test
    void gone_fileThatTheGuestHasOpenKeepsItsSize() throws IOException {
        write("open");
        long known = guest.lookup(root, "open").node();
        guest.open(known, Open.O_RDONLY).ok();
        Files.delete(folder.resolve("open"));

        assertThat(FuseGuest.Entry.of(
                                agent(HostEventOps.FILE_GONE)
                                        .lookupReply(root, "open")
                                        .ok(),
                                0)
                        .size())
                .isEqualTo(4);
    }

    @Test
    void gone_unknownIsSomethingThatIsGoodForNothingElse() {
        FuseGuest.Entry file = agent(HostEventOps.FILE_GONE).lookup(root, "never-seen");
        assertThat(file.mode() & Stat.S_IFMT).isEqualTo(Stat.S_IFREG);
        agent.unlink(root, "never-seen").ok();
        FuseGuest.Entry directory = agent(HostEventOps.DIRECTORY_GONE).lookup(root, "never-seen");
        assertThat(directory.mode() & Stat.S_IFMT).isEqualTo(Stat.S_IFDIR);
        agent.rmdir(root, "never-seen").ok();

        assertThat(guest.getattrReply(file.node()).error()).isEqualTo(Errno.ESTALE);
        assertThat(guest.open(file.node(), Open.O_RDONLY).error()).isEqualTo(Errno.ESTALE);
        int nodes = server.nodeCount();
        guest.forget(file.node(), 1);
        guest.forget(directory.node(), 1);
        assertThat(server.nodeCount()).isEqualTo(nodes - 2);
    }

    @Test
    void gone_fileThatIsThereIsRefused() throws IOException {
        write("there");
        long known = guest.lookup(root, "there").node();

        assertThat(node(agent(HostEventOps.FILE_GONE).lookupReply(root, "there")))
                .isEqualTo(known);
        assertThat(agent.unlink(root, "there").error()).isEqualTo(Errno.EBUSY);
        assertThat(folder.resolve("there")).hasContent("there");
    }

    @Test
    void gone_replacedFileIsTheOldOne() throws IOException {
        write("f");
        long old = guest.lookup(root, "f").node();
        Files.move(write("other"), folder.resolve("f"), java.nio.file.StandardCopyOption.REPLACE_EXISTING);

        assertThat(node(agent(HostEventOps.FILE_GONE).lookupReply(root, "f"))).isEqualTo(old);
        agent.unlink(root, "f").ok();
        assertThat(folder.resolve("f")).hasContent("other");
        assertThat(guest.lookup(root, "f").node()).isNotEqualTo(old);
    }

    // ---- moved

    @Test
    void moved_nodeStaysTheSame() throws IOException {
        write("a");
        Files.createDirectory(folder.resolve("d"));
        long known = guest.lookup(root, "a").node();
        long d = guest.lookup(root, "d").node();
        Files.move(folder.resolve("a"), folder.resolve("d/b"));

        agent(HostEventOps.FILE_MOVED);
        assertThat(node(agent.lookupReply(root, "a"))).isEqualTo(known);
        assertThat(node(agent.lookupReply(d, "b"))).isZero();
        agent.rename(root, "a", d, "b", 0).ok();
        assertThat(guest.getattr(known).size()).isEqualTo(1);
        assertThat(guest.lookup(d, "b").node()).isEqualTo(known);
    }

    @Test
    void moved_overAFileThatTheGuestKnows() throws IOException {
        write("target");
        long target = guest.lookup(root, "target").node();
        Files.move(write("t"), folder.resolve("target"), java.nio.file.StandardCopyOption.REPLACE_EXISTING);

        agent(HostEventOps.FILE_MOVED);
        assertThat(node(agent.lookupReply(root, "t"))).isNotZero();
        assertThat(node(agent.lookupReply(root, "target"))).isEqualTo(target);
        agent.rename(root, "t", root, "target", 0).ok();
        assertThat(folder.resolve("target")).hasContent("t");
    }

    @Test
    void moved_whatHasNotMovedIsRefused() throws IOException {
        write("a");
        guest.lookup(root, "a");
        agent(HostEventOps.FILE_MOVED);

        assertThat(agent.rename(root, "a", root, "b", 0).error()).isEqualTo(Errno.EBUSY);
        Files.delete(folder.resolve("a"));
        assertThat(agent.rename(root, "a", root, "b", 0).error()).isEqualTo(Errno.ENOENT);
        write("b");
        assertThat(agent.rename(root, "a", root, "b", 2).error()).isEqualTo(Errno.EPERM);
        agent.rename(root, "a", root, "b", 0).ok();
        assertThat(folder.resolve("b")).hasContent("b");
    }

    // ---- changed

    @Test
    void changed_setsNothingAndTellsTheAttributes() throws IOException {
        Path file = write("f");
        Files.setLastModifiedTime(file, FileTime.from(Instant.ofEpochSecond(1_000_000)));
        long f = guest.lookup(root, "f").node();
        byte[] times =
                FuseGuest.buffer(88).putInt(0, SETATTR_MTIME).putLong(40, 5).array();

        FuseGuest.Reply r =
                agent(HostEventOps.CHANGED).call(Opcode.SETATTR, f, times).ok();
        assertThat(r.u64(48)).isEqualTo(1_000_000); // mtime of struct fuse_attr at 16
        agent.truncate(f, 0, 0).ok();
        agent.setattr(f, 5, 5, 0).ok();
        assertThat(file).hasContent("f");
        assertThat(Files.getLastModifiedTime(file).toInstant()).isEqualTo(Instant.ofEpochSecond(1_000_000));
    }

    @Test
    void written_opensNothing() throws IOException {
        write("f");
        long f = guest.lookup(root, "f").node();
        int descriptors = server.handleCount();

        FuseGuest.Reply r = agent(HostEventOps.WRITTEN).open(f, Open.O_WRONLY).ok();
        assertThat(r.u64(0)).isEqualTo(HostEventOps.NO_HANDLE);
        assertThat(server.handleCount()).isEqualTo(descriptors);
        assertThat(agent.open(f, Open.O_WRONLY | Open.O_TRUNC).error()).isEqualTo(Errno.EPERM);
        assertThat(guest.write(f, HostEventOps.NO_HANDLE, 0, new byte[1]).error())
                .isEqualTo(Errno.EBADF);
        assertThat(guest.read(f, HostEventOps.NO_HANDLE, 0, 1).error()).isEqualTo(Errno.EBADF);
        agent.release(f, HostEventOps.NO_HANDLE).ok();
        assertThat(folder.resolve("f")).hasContent("f");
    }

    // ---- a container that takes such a group

    @Test
    void reservedGroup_changesNothingOnTheHost() throws IOException {
        write("f");
        Files.createDirectory(folder.resolve("d"));
        long f = guest.lookup(root, "f").node();
        long open = guest.open(f, Open.O_RDWR).ok().u64(0);
        FileTime before = Files.getLastModifiedTime(folder);

        for (int gid = HostEventOps.FIRST_GID; gid < HostEventOps.FIRST_GID + 8; gid++) {
            FuseGuest bad = agent(gid);
            int[] errors = {
                bad.createReply(root, "n", Open.O_RDWR, 0x1A4).error(),
                bad.createReply(root, "f", Open.O_RDWR | Open.O_TRUNC, 0x1A4).error(),
                bad.mkdirReply(root, "n", 0x1C0).error(),
                bad.mknod(root, "n", Stat.S_IFREG, 0).error(),
                bad.symlink(root, "n", "f").error(),
                bad.link(f, root, "n").error(),
                bad.unlink(root, "f").error(),
                bad.rmdir(root, "d").error(),
                bad.rename(root, "f", root, "n", 0).error(),
                bad.write(f, open, 0, new byte[] {1}).error(),
                bad.setxattr(f, "user.x", "y").error(),
                bad.open(f, Open.O_RDWR | Open.O_TRUNC).error(),
                bad.call(Opcode.FALLOCATE, f, ByteBuffer.allocate(32).array()).error(),
                bad.call(Opcode.COPY_FILE_RANGE, f, ByteBuffer.allocate(56).array())
                        .error(),
            };
            assertThat(errors).doesNotContain(0);
            bad.setattr(f, 1, 1, 0);
            bad.truncate(f, 0, 0);
        }
        try (Stream<Path> all = Files.list(folder)) {
            assertThat(all.map(p -> p.getFileName().toString())).containsExactlyInAnyOrder("f", "d");
        }
        assertThat(folder.resolve("f")).hasContent("f");
        assertThat(Files.getLastModifiedTime(folder)).isEqualTo(before);
    }

    @Test
    void withheldDirectory_isNoPlaceForEvents() throws IOException {
        Files.createDirectory(folder.resolve("mine"));
        long mine = guest.lookup(root, "mine").node();

        assertThat(agent(HostEventOps.CREATED).mkdirReply(root, "mine", 0x1C0).error())
                .isEqualTo(Errno.EACCES);
        assertThat(agent.mkdirReply(mine, "x", 0x1C0).error()).isEqualTo(Errno.EACCES);
        assertThat(agent(HostEventOps.DIRECTORY_GONE).rmdir(root, "mine").error())
                .isEqualTo(Errno.EACCES);
        assertThat(node(agent.lookupReply(root, "mine"))).isEqualTo(mine);
    }
}
