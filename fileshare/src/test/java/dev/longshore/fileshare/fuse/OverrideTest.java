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
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.nio.file.attribute.UserDefinedFileAttributeView;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Owners and modes that are kept beside the files, as an ordinary user's process does. */
class OverrideTest {
    private static final int ALICE = 4001;
    private static final int TEAM = 4002;
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
        restart(false);
    }

    private void restart(boolean accessor) throws IOException {
        server = new FuseServer(
                List.of(new SharedFolder(folder, accessor, false)), Ownership.OVERRIDE, LIMITS, CacheTimes.AUTO, state);
        guest = new FuseGuest(server).as(0, 0);
        guest.init().ok();
        root = guest.walk(folder.toString()).node();
    }

    @AfterEach
    void stop() throws IOException {
        server.close();
    }

    private int hostUid(String name) throws IOException {
        return (int) Files.getAttribute(folder.resolve(name), "unix:uid", LinkOption.NOFOLLOW_LINKS);
    }

    private int hostMode(String name) throws IOException {
        return (int) Files.getAttribute(folder.resolve(name), "unix:mode", LinkOption.NOFOLLOW_LINKS);
    }

    @Test
    void file_belongsToItsMaker_andSurvivesARestart() throws IOException {
        guest.as(ALICE, TEAM);
        long[] f = guest.create(root, "f", Open.O_RDWR, 0x180);
        assertThat(guest.getattr(f[0]).uid()).isEqualTo(ALICE);
        assertThat(hostUid("f")).isEqualTo((int) Files.getAttribute(folder, "unix:uid"));
        guest.symlink(root, "l", "f").ok();
        server.close();
        restart(false);
        FuseGuest.Entry e = guest.lookup(root, "f");
        assertThat(e.uid()).isEqualTo(ALICE);
        assertThat(e.gid()).isEqualTo(TEAM);
        assertThat(guest.lookup(root, "l").uid()).isEqualTo(ALICE);
        assertThat(guest.list(root, true, 4096)).hasSize(4);
    }

    @Test
    void mode_thatWouldLockUsOut_isToldButNotSet() throws IOException {
        long[] f = guest.create(root, "f", Open.O_RDWR, 0);
        assertThat(guest.getattr(f[0]).mode()).isEqualTo(Stat.S_IFREG);
        assertThat(hostMode("f") & 0x1FF).isEqualTo(0x180);
        FuseGuest.Entry e =
                FuseGuest.attr(f[0], guest.setattr(f[0], -1, -1, 0xDA4).ok());
        assertThat(e.mode()).isEqualTo(Stat.S_IFREG | 0xDA4); // 06644
        assertThat(hostMode("f") & 0xFFF).isEqualTo(0x1A4);
        long d = guest.mkdir(root, "d", 0x49).node(); // 0111
        assertThat(guest.getattr(d).mode() & 0xFFF).isEqualTo(0x49);
        assertThat(hostMode("d") & 0xFFF).isEqualTo(0x1C9);
    }

    @Test
    void chown_isRemembered_andDropsSetIdBits() throws IOException {
        long[] f = guest.create(root, "f", Open.O_RDWR, 0x1ED);
        guest.setattr(f[0], -1, -1, 0xDED).ok(); // 06755
        FuseGuest.Entry e =
                FuseGuest.attr(f[0], guest.setattr(f[0], ALICE, TEAM, -1).ok());
        assertThat(e.uid()).isEqualTo(ALICE);
        assertThat(e.mode() & 0xFFF).isEqualTo(0x1ED);
        assertThat(new String((byte[]) Files.getAttribute(folder.resolve("f"), "user:containers.override_stat"), UTF_8))
                .isEqualTo("4001:4002:0755");
        int uid = hostUid("f");
        int gid = (int) Files.getAttribute(folder, "unix:gid");
        guest.setattr(f[0], uid, gid, 0x1ED).ok();
        assertThat(guest.getattr(f[0]).uid()).isEqualTo(uid);
    }

    @Test
    void write_bySomebodyElse_dropsSetIdBits() {
        long[] f = guest.create(root, "f", Open.O_RDWR, 0x1ED);
        guest.setattr(f[0], -1, -1, 0x9ED).ok(); // 04755
        guest.write(f[0], f[1], 0, new byte[1]).ok();
        assertThat(guest.getattr(f[0]).mode() & 0xFFF).isEqualTo(0x9ED);
        int kill = 4;
        guest.write(f[0], f[1], 0, new byte[1], kill).ok();
        assertThat(guest.getattr(f[0]).mode() & 0xFFF).isEqualTo(0x1ED);
        guest.setattr(f[0], -1, -1, 0x9ED).ok();
        guest.truncate(f[0], 0, 1 << 11).ok();
        assertThat(guest.getattr(f[0]).mode() & 0xFFF).isEqualTo(0x1ED);
    }

    /** Before fallocate(2) and copy_file_range(2) the guest's kernel says no more than that it would change the mode. */
    @Test
    void setattr_ofNothing_dropsSetIdBits() throws IOException {
        long[] f = guest.as(ALICE, TEAM).create(root, "f", Open.O_RDWR, 0x1B6);
        assertThat(dropped(f, 0xDFF)).isEqualTo(0x1FF); // 06777
        assertThat(dropped(f, 0xDB6)).isEqualTo(0x5B6); // 06666: of the group's own
        guest.as(ALICE + 1, TEAM + 1);
        assertThat(dropped(f, 0xDB6)).isEqualTo(0x1B6);
        assertThat(dropped(f, 0x5BE)).isEqualTo(0x1BE); // 02676
        guest.setattr(f[0], -1, -1, 0xDFF).ok();
        guest.call(Opcode.SETATTR, f[0], FuseGuest.buffer(88).putInt(1 << 10).array())
                .ok(); // FATTR_CTIME is something
        assertThat(guest.getattr(f[0]).mode() & 0xFFF).isEqualTo(0xDFF);
    }

    /** The mode of which the guest is told when it asks for nothing, with the file open, of a file whose mode is {@code mode}. */
    private int dropped(long[] f, int mode) {
        guest.setattr(f[0], -1, -1, mode).ok();
        byte[] nothing = FuseGuest.buffer(88)
                .putInt(1 << 6 | 1 << 9)
                .putInt(0)
                .putLong(f[1])
                .array();
        return FuseGuest.attr(f[0], guest.call(Opcode.SETATTR, f[0], nothing).ok())
                        .mode()
                & 0xFFF;
    }

    @Test
    void host_thatChangesTheMode_isBelieved() throws IOException {
        long[] f = guest.as(ALICE, TEAM).create(root, "f", Open.O_RDWR, 0x180);
        Files.setPosixFilePermissions(folder.resolve("f"), PosixFilePermissions.fromString("rwxr-xr-x"));
        FuseGuest.Entry e = guest.getattr(f[0]);
        assertThat(e.mode() & 0xFFF).isEqualTo(0x1ED);
        assertThat(e.uid()).isEqualTo(ALICE);
    }

    private void setAttribute(String file, String value) throws IOException {
        Files.getFileAttributeView(folder.resolve(file), UserDefinedFileAttributeView.class)
                .write("containers.override_stat", StandardCharsets.US_ASCII.encode(value));
    }

    /** Whoever may write to a file may set its attributes; its mode only its owner. */
    @Test
    void setIdBits_thatTheHostsModeKnowsNothingOf_areNotBelieved() throws IOException {
        Files.writeString(folder.resolve("f"), "x");
        Files.setPosixFilePermissions(folder.resolve("f"), PosixFilePermissions.fromString("rw-rw-rw-"));
        setAttribute("f", "0:0:04755");
        assertThat(guest.lookup(root, "f").mode()).isEqualTo(Stat.S_IFREG | 0x1B6);
    }

    @Test
    void filesOfOthers_areTheirs_whateverTheyCarry() throws IOException {
        assumeTrue(System.getProperty("user.name").equals("root"), "only root can give files to others");
        Files.writeString(folder.resolve("f"), "x");
        Files.setPosixFilePermissions(folder.resolve("f"), PosixFilePermissions.fromString("rwxr-xr-x"));
        setAttribute("f", "0:0:04755");
        assertThat(guest.lookup(root, "f").mode()).isEqualTo(Stat.S_IFREG | 0x9ED); // as this process makes them
        Files.setAttribute(folder.resolve("f"), "unix:uid", ALICE);
        FuseGuest.Entry e = guest.lookup(root, "f");
        assertThat(e.uid()).isEqualTo(ALICE);
        assertThat(e.mode()).isEqualTo(Stat.S_IFREG | 0x1ED);
    }

    @Test
    void garbageForAnOverride_isNone() throws IOException {
        Files.writeString(folder.resolve("f"), "x");
        FuseGuest.Entry plain = guest.lookup(root, "f");
        for (String value : List.of(
                "",
                ":::",
                "0:0:",
                "-1:0:0644",
                "0:0:99",
                "4294967296:0:0644",
                "0:0:0644:char-1",
                "\u0000",
                "0".repeat(101),
                "0:0:0644:char-1-2-3:x",
                "1:2:3:4:5:6:7:8")) {
            setAttribute("f", value);
            FuseGuest.Entry e = guest.lookup(root, "f");
            assertThat(e.mode() & Stat.S_IFMT).as(value).isEqualTo(plain.mode() & Stat.S_IFMT);
            assertThat(guest.getattr(e.node()).size()).isEqualTo(1);
        }
    }

    @Test
    void override_isNotTheGuests_howeverItIsSpelt() throws IOException {
        Files.writeString(folder.resolve("f"), "x");
        long f = guest.lookup(root, "f").node();
        for (String name : List.of("user.containers.override_stat", "user.Containers.OVERRIDE_STAT")) {
            assertThat(guest.setxattr(f, name, "0:0:04755").error()).isEqualTo(Errno.EPERM);
            assertThat(guest.getxattr(f, name, 100).error()).isEqualTo(Errno.ENODATA);
            assertThat(guest.call(Opcode.REMOVEXATTR, f, FuseGuest.name(name)).error())
                    .isEqualTo(Errno.ENODATA);
        }
        assertThat(guest.setxattr(f, "system.POSIX_ACL_access", "x").error()).isEqualTo(Errno.EOPNOTSUPP);
    }

    @Test
    void devices_areOnesForTheGuestOnly() throws IOException {
        guest.mknod(root, "null", Stat.S_IFCHR | 0x1B6, 1 << 8 | 3).ok();
        FuseGuest.Entry e = guest.lookup(root, "null");
        assertThat(e.mode()).isEqualTo(Stat.S_IFCHR | 0x1B6);
        assertThat(e.device()).isEqualTo(1 << 8 | 3);
        assertThat(hostMode("null") & Stat.S_IFMT).isEqualTo(Stat.S_IFREG);
        guest.setattr(e.node(), ALICE, TEAM, -1).ok();
        assertThat(guest.getattr(e.node()).mode() & Stat.S_IFMT).isEqualTo(Stat.S_IFCHR);
        server.close();
        restart(false);
        assertThat(guest.lookup(root, "null").device()).isEqualTo(1 << 8 | 3);
    }

    @Test
    void fifosAndLinks_areKeptInTheSideTable_untilTheyAreGone() throws IOException {
        guest.as(ALICE, TEAM);
        guest.mknod(root, "p", Stat.S_IFIFO | 0x1A4, 0).ok();
        guest.symlink(root, "l", "x").ok();
        assertThat(guest.lookup(root, "p").uid()).isEqualTo(ALICE);
        assertThat(guest.setattr(guest.lookup(root, "l").node(), 7, 8, -1).error())
                .isZero();
        assertThat(guest.lookup(root, "l").uid()).isEqualTo(7);
        guest.unlink(root, "p").ok();
        guest.unlink(root, "l").ok();
        server.close();
        restart(false);
        assertThat(Files.size(state.resolve("file-owners"))).isZero();
    }

    @Test
    void setGroupId_ofADirectory_isInherited() {
        long d = guest.mkdir(root, "d", 0x1ED).node();
        guest.setattr(d, -1, TEAM, 0x5FD).ok(); // 02775
        guest.as(ALICE, 9);
        FuseGuest.Entry sub = guest.mkdir(d, "sub", 0x1ED);
        assertThat(sub.gid()).isEqualTo(TEAM);
        assertThat(sub.mode() & 0xFFF).isEqualTo(0x5ED);
        long[] f = guest.create(d, "f", Open.O_RDWR, 0x1A4);
        assertThat(guest.getattr(f[0]).gid()).isEqualTo(TEAM);
    }

    @Test
    void accessor_ownsWhatNobodySaidOtherwise() throws IOException {
        Files.writeString(folder.resolve("f"), "x");
        server.close();
        restart(true);
        assertThat(guest.as(ALICE, TEAM).lookup(root, "f").uid()).isEqualTo(ALICE);
        assertThat(guest.as(5, 6).lookup(root, "f").uid()).isEqualTo(5);
        long f = guest.lookup(root, "f").node();
        guest.setattr(f, 77, 78, -1).ok();
        assertThat(guest.as(5, 6).lookup(root, "f").uid()).isEqualTo(77);
    }

    @Test
    void link_ofALinkedFile_keepsItsOwner() {
        long[] f = guest.as(ALICE, TEAM).create(root, "f", Open.O_RDWR, 0x180);
        guest.link(f[0], root, "g").ok();
        guest.unlink(root, "f").ok();
        assertThat(guest.lookup(root, "g").uid()).isEqualTo(ALICE);
        assertThat(guest.link(f[0], root, "g").error()).isEqualTo(Errno.EEXIST);
    }

    @Test
    void accessorDirectories_areWhoseAsks_withWhatIsBelow_fromNowOn() throws IOException {
        Files.createDirectories(folder.resolve("sub/mine/deep"));
        Files.createDirectories(folder.resolve("mine"));
        long mine = guest.walk(folder + "/sub/mine").node();
        long deep = guest.walk(folder + "/sub/mine/deep").node();
        long sub = guest.walk(folder + "/sub").node();
        int owner = guest.getattr(deep).uid();
        guest.as(ALICE, TEAM);
        assertThat(guest.getattr(deep).uid()).isEqualTo(owner);

        server.share(List.of(new SharedFolder(folder)), List.of(folder.resolve("sub/mine"), folder.resolve("none")));
        assertThat(guest.getattr(mine).uid()).isEqualTo(ALICE);
        assertThat(guest.getattr(deep).gid()).isEqualTo(TEAM);
        assertThat(guest.walk(folder + "/sub/mine/deep").uid()).isEqualTo(ALICE);
        assertThat(guest.getattr(sub).uid()).isEqualTo(owner);
        assertThat(guest.walk(folder + "/mine").uid()).isEqualTo(owner);
        Files.move(folder.resolve("sub/mine/deep"), folder.resolve("out"));
        assertThat(guest.lookup(root, "out").uid()).isEqualTo(owner);

        server.share(List.of(new SharedFolder(folder)), List.of(folder));
        assertThat(guest.getattr(sub).uid()).isEqualTo(ALICE);
        server.share(List.of(new SharedFolder(folder)), List.of());
        assertThat(guest.getattr(mine).uid()).isEqualTo(owner);
    }
}
