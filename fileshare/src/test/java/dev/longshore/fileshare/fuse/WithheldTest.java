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
        withhold(state, home.resolve(".config/longshore"), home.resolve(".cache/longshore"));
    }

    private void withhold(Path... paths) throws IOException {
        server = server(home, paths);
        guest = new FuseGuest(server);
        guest.init().ok();
        root = guest.walk(home.toString()).node();
    }

    private FuseServer server(Path shared, Path... withheld) throws IOException {
        return new FuseServer(
                List.of(new SharedFolder(shared)),
                List.of(withheld),
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
        server = server(temp.toRealPath(), state);
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

    /** Nothing of the path is there but for the shared folder. */
    @Test
    void whatLeadsToOwnDirectory_andIsNotThereYet_isNotTheGuestsToMake() throws IOException {
        server.close();
        Path own = home.resolve(".config/a/longshore");
        withhold(own);
        long config = guest.mkdir(root, ".config", 0x1ED).node();
        assertThat(guest.symlink(config, "a", "../mine").error()).isEqualTo(Errno.EACCES);
        assertThat(guest.rename(root, "mine", config, "a", 0).error()).isEqualTo(Errno.EBUSY);
        long a = guest.mkdir(config, "a", 0x1ED).node();
        assertThat(guest.rename(walk("mine"), "longshore", a, "longshore", 0).error())
                .isEqualTo(Errno.EBUSY);
        assertThat(guest.mkdirReply(a, "longshore", 0x1ED).error()).isEqualTo(Errno.EEXIST);
        assertThat(own).doesNotExist();
    }

    @Test
    void whatTheHostPutsInThePlaceOfWhatLeadsToOwnDirectory_staysThere() throws IOException {
        Files.createDirectories(home.resolve("new/state/longshore"));
        Files.writeString(home.resolve("new/state/longshore/settings.json"), "new");
        long before = walk("new/state");
        long local = walk("new");
        Files.move(home.resolve(".local"), home.resolve("old"));
        Files.move(home.resolve("new"), home.resolve(".local"));
        assertThat(guest.rename(local, "state", local, "x", 0).error()).isEqualTo(Errno.EBUSY);
        assertThat(guest.rename(root, "mine", local, "state", 0).error()).isEqualTo(Errno.EBUSY);
        assertThat(guest.rename(before, "longshore", root, "x", 0).error()).isEqualTo(Errno.EBUSY);
        assertThat(state.resolve("settings.json")).hasContent("new");
    }

    @Test
    void linkToWhatIsNotThere_withASlashBehind_isNotTheGuestsToMakeTrue() throws IOException {
        Path own = home.resolve("own");
        for (String end : List.of("/", "/.", "//./")) {
            new ProcessBuilder("ln", "-sfn", "big/ls" + end, own.toString())
                    .start()
                    .onExit()
                    .join(); // Path drops it
            server.close();
            withhold(own);
            long big = guest.mkdir(root, "big", 0x1ED).node();
            assertThat(guest.mkdirReply(big, "ls", 0x1ED).error()).as(end).isEqualTo(Errno.EEXIST);
            assertThat(guest.rename(root, "mine", big, "ls", 0).error()).as(end).isEqualTo(Errno.EBUSY);
            Files.delete(home.resolve("big"));
        }
    }

    @Test
    void linkToANameThatIsNotUtf8_isFollowed() throws IOException {
        String script = "mkdir -p $'d\\xff/c/longshore' && ln -sfn $'d\\xff/c' .cache";
        assertThat(new ProcessBuilder("bash", "-c", script)
                        .directory(home.toFile())
                        .start()
                        .onExit()
                        .join()
                        .exitValue())
                .isZero();
        server.close();
        withhold(home.resolve(".cache/longshore"));
        long d = guest.call(Opcode.LOOKUP, root, new byte[] {'d', (byte) 0xFF, 0})
                .ok()
                .u64(0);
        assertEmptyAndUnchangeable(
                guest.lookup(guest.lookup(d, "c").node(), "longshore").node());
    }

    /** More names than are remembered of paths that were. */
    @Test
    void longPath_isGuardedAtBothEnds() throws IOException {
        Path own = home.resolve("deep");
        for (int i = 0; i < 100; i++) {
            own = own.resolve("d" + i);
        }
        Files.createDirectories(own);
        server.close();
        withhold(own);
        assertThat(guest.rename(root, "deep", root, "x", 0).error()).isEqualTo(Errno.EBUSY);
        long deep = guest.lookup(root, "deep").node();
        assertThat(guest.rename(deep, "d0", root, "x", 0).error()).isEqualTo(Errno.EBUSY);
        assertEmptyAndUnchangeable(walk(home.relativize(own).toString()));
    }

    /** By the way without links, as somebody who knows it may share it. */
    @Test
    void folderBelowOwnDirectory_isAbsent_byAnyName() throws IOException {
        Path images = Files.createDirectory(home.resolve("dot/cache/longshore/images"));
        server.share(List.of(new SharedFolder(images), new SharedFolder(home.resolve("mine"))));
        long there = guest.walk(home.toString()).node();
        assertThat(guest.lookupReply(there, "dot").error()).isEqualTo(Errno.ENOENT);
        assertThat(guest.lookupReply(there, "mine").error()).isZero();
    }

    @Test
    void namesThatWereOnTheWay_areFreeAgain() throws IOException {
        long mine = walk("mine");
        for (int i = 0; i < 300; i++) {
            Files.delete(home.resolve(".cache"));
            Files.createSymbolicLink(home.resolve(".cache"), Path.of("mine/none" + i));
            assertThat(guest.lookup(mine, "longshore").node()).isNotZero(); // all paths are walked now
            assertThat(guest.createReply(mine, "none" + i, Open.O_RDWR, 0x1A4).error())
                    .isEqualTo(Errno.EACCES);
        }
        assertThat(guest.createReply(mine, "none0", Open.O_RDWR, 0x1A4).error()).isZero();
    }

    /** A name that nobody expected, of what a link leads to from now on. */
    @Test
    void linkThatTheHostMakes_isFollowedSoon() throws IOException {
        Files.createDirectories(home.resolve("big"));
        Files.move(state, home.resolve("big/ls"));
        Files.createSymbolicLink(state, Path.of("../../big/ls"));
        long end = System.nanoTime() + 10_000_000_000L;
        while (guest.list(walk("big/ls"), true, 4096).size() > 2 && System.nanoTime() < end) {
            Thread.onSpinWait();
        }
        assertEmptyAndUnchangeable(walk("big/ls"));
    }
}
