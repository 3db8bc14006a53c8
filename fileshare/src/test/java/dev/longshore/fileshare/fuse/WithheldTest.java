package dev.longshore.fileshare.fuse;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.fileshare.os.Open;
import dev.longshore.fileshare.os.Stat;
import dev.longshore.fileshare.share.Limits;
import dev.longshore.fileshare.share.Ownership;
import dev.longshore.fileshare.share.SharedFolder;
import dev.longshore.linux.Errno;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A guest that has the user's home and wants this program's own directories in it. */
class WithheldTest {
    private static final int EXCHANGE = 2;
    private static final int DT_DIR = 4;

    @TempDir
    Path temp;

    @TempDir
    Path files;

    private Path home;
    private Path state;
    private FuseServer server;
    private FuseGuest guest;
    private long root;

    /** {@code .cache} is a link to {@code dot/cache}; there is no {@code .config}. */
    @BeforeEach
    void start() throws IOException {
        home = Files.createDirectory(temp.toRealPath().resolve("home"));
        state = Files.createDirectories(home.resolve(".local/state/longshore"));
        Files.writeString(state.resolve("settings.json"), "mine");
        Files.createDirectories(home.resolve("dot/cache/longshore"));
        Files.writeString(home.resolve("dot/cache/longshore/kernel"), "mine");
        Files.createSymbolicLink(home.resolve(".cache"), Path.of("dot/cache"));
        Files.createDirectories(home.resolve("mine/longshore"));
        Files.writeString(home.resolve("mine/longshore/settings.json"), "the guest's");
        server = server(home);
        guest = new FuseGuest(server);
        guest.init().ok();
        root = guest.walk(home.toString()).node();
    }

    private FuseServer server(Path shared) throws IOException {
        return new FuseServer(
                List.of(new SharedFolder(shared)),
                List.of(state, home.resolve(".config/longshore"), home.resolve(".cache/longshore")),
                Ownership.ofThisProcess(),
                new Limits(1000, 16, 100),
                CacheTimes.AUTO,
                files);
    }

    @AfterEach
    void stop() throws IOException {
        server.close();
    }

    private long walk(String path) {
        return guest.walk(home.resolve(path).normalize().toString()).node();
    }

    private void assertEmptyAndUnchangeable(long node) {
        assertThat(guest.list(node, true, 4096))
                .extracting(FuseGuest.Listed::name)
                .containsExactly(".", "..");
        assertThat(guest.lookupReply(node, "settings.json").error()).isEqualTo(Errno.ENOENT);
        assertThat(guest.createReply(node, "settings.json", Open.O_RDWR, 0x1A4).error())
                .isEqualTo(Errno.EROFS);
        assertThat(guest.mkdirReply(node, "x", 0x1FF).error()).isEqualTo(Errno.EROFS);
        assertThat(guest.unlink(node, "settings.json").error()).isEqualTo(Errno.EROFS);
        assertThat(guest.setattr(node, 1, 1, 0x1FF).error()).isEqualTo(Errno.EROFS);
        assertThat(guest.rename(node, "settings.json", root, "mine", 0).error()).isEqualTo(Errno.EROFS);
        assertThat(guest.getattr(node).mode()).isEqualTo(Stat.S_IFDIR | 0x16D);
    }

    @Test
    void ownDirectory_isEmptyForTheGuest() {
        assertEmptyAndUnchangeable(walk(".local/state/longshore"));
        assertEmptyAndUnchangeable(walk("dot/cache/longshore"));
        assertThat(guest.list(walk(".local/state"), true, 4096)).anySatisfy(e -> {
            assertThat(e.name()).isEqualTo("longshore");
            assertThat(e.type()).isEqualTo(DT_DIR);
            assertEmptyAndUnchangeable(e.node());
        });
        assertThat(state.resolve("settings.json")).hasContent("mine");
    }

    @Test
    void ownDirectory_andWhatLeadsToIt_staysWhereItIs() {
        long local = walk(".local");
        long there = walk(".local/state");
        long mine = walk("mine");
        for (int flags : new int[] {0, EXCHANGE}) {
            assertThat(guest.rename(there, "longshore", mine, "x", flags).error())
                    .isEqualTo(Errno.EBUSY);
            assertThat(guest.rename(mine, "longshore", there, "longshore", flags)
                            .error())
                    .isEqualTo(Errno.EBUSY);
            assertThat(guest.rename(local, "state", mine, "x", flags).error()).isEqualTo(Errno.EBUSY);
            assertThat(guest.rename(root, ".local", mine, "x", flags).error()).isEqualTo(Errno.EBUSY);
            assertThat(guest.rename(root, "mine", root, ".local", flags).error())
                    .isEqualTo(Errno.EBUSY);
            assertThat(guest.rename(root, ".cache", mine, "x", flags).error()).isEqualTo(Errno.EBUSY);
            assertThat(guest.rename(root, "dot", mine, "x", flags).error()).isEqualTo(Errno.EBUSY);
        }
        assertThat(guest.rmdir(there, "longshore").error()).isEqualTo(Errno.EBUSY);
        assertThat(guest.unlink(root, ".cache").error()).isEqualTo(Errno.EBUSY);
        assertThat(guest.symlink(there, "longshore", "mine/longshore").error()).isEqualTo(Errno.EEXIST);
        assertThat(state.resolve("settings.json")).hasContent("mine");
        assertThat(home.resolve(".cache/longshore/kernel")).hasContent("mine");
    }

    /** As where the file system makes no difference between upper and lower case. */
    @Test
    void whatLeadsToOwnDirectory_staysByAnyName() throws IOException {
        Files.createLink(home.resolve("alias"), home.resolve(".cache"));
        assertThat(guest.unlink(root, "alias").error()).isEqualTo(Errno.EBUSY);
        assertThat(guest.rename(root, "alias", root, "x", 0).error()).isEqualTo(Errno.EBUSY);
        assertThat(guest.rename(root, "mine", root, "alias", EXCHANGE).error()).isEqualTo(Errno.EBUSY);
    }

    @Test
    void ownDirectoryThatIsNotThereYet_isNotTheGuestsToMake() {
        long mine = walk("mine");
        assertThat(guest.symlink(root, ".config", "mine").error()).isEqualTo(Errno.EACCES);
        assertThat(guest.createReply(root, ".config", Open.O_RDWR, 0x1A4).error())
                .isEqualTo(Errno.EACCES);
        assertThat(guest.rename(root, "mine", root, ".config", 0).error()).isEqualTo(Errno.EBUSY);
        long config = guest.mkdir(root, ".config", 0x1ED).node();
        assertThat(guest.mkdirReply(config, "longshore", 0x1FF).error()).isEqualTo(Errno.EEXIST);
        assertThat(guest.symlink(config, "longshore", "../mine/longshore").error())
                .isEqualTo(Errno.EEXIST);
        assertThat(guest.rename(mine, "longshore", config, "longshore", 0).error())
                .isEqualTo(Errno.EBUSY);
        assertThat(guest.mkdirReply(config, "other", 0x1FF).error()).isZero();
        assertThat(home.resolve(".config/longshore")).doesNotExist();
    }

    @Test
    void whatTheHostMoves_isFoundAgain() throws IOException {
        Files.move(home.resolve(".local/state"), home.resolve("moved"));
        Files.createDirectories(state);
        Files.writeString(state.resolve("settings.json"), "new");
        assertEmptyAndUnchangeable(walk(".local/state/longshore"));
        assertThat(guest.rename(walk(".local"), "state", root, "x", 0).error()).isEqualTo(Errno.EBUSY);
        assertEmptyAndUnchangeable(walk("moved/longshore"));
        assertThat(guest.rename(walk("moved"), "longshore", root, "x", 0).error())
                .isEqualTo(Errno.EBUSY); // what is in it is still this program's

        Files.delete(home.resolve(".cache"));
        Files.createSymbolicLink(home.resolve(".cache"), Path.of(".local"));
        Files.createDirectories(home.resolve(".local/longshore"));
        Files.writeString(home.resolve(".local/longshore/kernel"), "new");
        assertEmptyAndUnchangeable(walk(".local/longshore"));
    }

    /** The moment in which a host has moved a folder away is the guest's to take what is in it. */
    @Test
    void whatTheHostMovesAwayForAMoment_staysWithheld() throws IOException {
        server.close();
        server = server(temp.toRealPath());
        guest = new FuseGuest(server);
        guest.init().ok();
        long all = walk("..");
        long known = walk("");
        long local = walk(".local");
        long there = walk(".local/state");
        Path away = Files.move(home, temp.resolve("away"));
        Files.createDirectory(home);
        assertThat(guest.lookup(all, "longshore").node()).isZero(); // all paths are walked now
        assertThat(guest.rename(known, ".local", all, "x", 0).error()).isEqualTo(Errno.EBUSY);
        assertThat(guest.rename(local, "state", all, "x", 0).error()).isEqualTo(Errno.EBUSY);
        assertThat(guest.rename(there, "longshore", all, "x", 0).error()).isEqualTo(Errno.EBUSY);
        assertEmptyAndUnchangeable(guest.lookup(there, "longshore").node());
        Files.delete(home);
        Files.move(away, home);
        assertThat(guest.rename(known, ".local", all, "x", 0).error()).isEqualTo(Errno.EBUSY);
        assertEmptyAndUnchangeable(walk(".local/state/longshore"));
    }

    /** An inode number that is another file's now is nothing's that was withheld. */
    @Test
    void whatTheHostRemoves_isForgotten() throws IOException {
        long mine = walk("mine");
        for (int i = 0; i < 200; i++) {
            Path other = Files.createDirectories(home.resolve("mine/" + i + "/longshore"));
            Files.delete(home.resolve(".cache"));
            Files.createSymbolicLink(home.resolve(".cache"), other.getParent());
            assertEmptyAndUnchangeable(walk("mine/" + i + "/longshore"));
            Files.delete(other);
            Files.delete(other.getParent());
        }
        long descriptors = descriptors();
        assertThat(guest.lookupReply(mine, "longshore").error()).isZero();
        assertThat(descriptors).isLessThan(200);
        for (int i = 0; i < 200; i++) {
            guest.mkdir(mine, "d" + i, 0x1FF);
            assertThat(guest.rename(mine, "d" + i, mine, "e" + i, 0).error()).isZero();
        }
    }

    /** Those of this process. */
    private static long descriptors() throws IOException {
        try (Stream<Path> all = Files.list(Path.of("/proc/self/fd"))) {
            return all.count();
        }
    }

    @Test
    void ownDirectoryAsASharedFolder_isAbsent() {
        server.share(List.of(new SharedFolder(state), new SharedFolder(home.resolve("mine"))));
        assertThat(guest.list(FuseGuest.ROOT, false, 4096)).isNotEmpty();
        assertThat(guest.lookupReply(guest.walk(home.toString()).node(), ".local")
                        .error())
                .isEqualTo(Errno.ENOENT);
        assertThat(guest.lookupReply(guest.walk(home.toString()).node(), "mine").error())
                .isZero();
    }

    /** Whoever can replace the folder on the host must not lead the guest elsewhere. */
    @Test
    void sharedFolderThatBecomesALink_isAbsent() throws IOException {
        Path other = Files.createDirectory(temp.toRealPath().resolve("other"));
        server.share(List.of(new SharedFolder(home.resolve("mine"))));
        long parent = guest.walk(home.toString()).node();
        long mine = guest.lookup(parent, "mine").node();
        Files.move(home.resolve("mine"), home.resolve("old"));
        Files.createSymbolicLink(home.resolve("mine"), other);
        assertThat(guest.lookupReply(parent, "mine").error()).isEqualTo(Errno.ENOENT);
        assertThat(guest.createReply(mine, "x", Open.O_RDWR, 0x1A4).error()).isNotZero();
        assertThat(other).isEmptyDirectory();
    }
}
