package dev.longshore.fileshare.watch;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.fileshare.fuse.FuseGuest;
import dev.longshore.fileshare.fuse.FuseServer;
import dev.longshore.fileshare.os.Open;
import dev.longshore.fileshare.share.SharedFolder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.List;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What is said of changes on the host. An event that is waited for comes after those that must not. */
@Timeout(60)
class HostWatchTest {
    @TempDir
    Path temp;

    @TempDir
    Path state;

    private Path folder;
    private String at;
    private FuseServer server;
    private FuseGuest guest;
    private HostWatch watch;
    private final BlockingQueue<String> said = new LinkedBlockingQueue<>();

    @BeforeEach
    void start() throws IOException {
        folder = Files.createDirectory(temp.toRealPath().resolve("share"));
        at = folder.toString().substring(1);
        server = new FuseServer(List.of(new SharedFolder(folder)), state);
        guest = new FuseGuest(server);
        guest.init().ok();
        watch = new HostWatch(server, List.of(folder.resolve("mine")), this::heard, 50);
        watch.session(true);
    }

    private void heard(String line) {
        said.add(line);
        watch.answered(true);
    }

    @AfterEach
    void stop() throws IOException {
        watch.close();
        server.close();
    }

    private void watch(int directories, Path... paths) throws InterruptedException {
        watch.watch(Set.of(paths));
        await(() -> watch.figures().directories() == directories);
    }

    private static void await(java.util.function.BooleanSupplier condition) throws InterruptedException {
        while (!condition.getAsBoolean()) {
            TimeUnit.MILLISECONDS.sleep(2);
        }
    }

    private String next() throws InterruptedException {
        return String.valueOf(said.poll(30, TimeUnit.SECONDS));
    }

    /** What is said of the name, letter by letter, until all of these were. */
    private void hears(String rest, String changes) throws InterruptedException {
        String left = changes;
        while (!left.isEmpty()) {
            String line = next();
            assertThat(line).endsWith(rest);
            for (char c : line.substring(0, line.indexOf(' ')).toCharArray()) {
                assertThat(left.indexOf(c)).as("%s of %s", line, changes).isNotNegative();
                left = left.replace(String.valueOf(c), "");
            }
        }
    }

    @Test
    void newFile_isCreatedModifiedAndWritten() throws Exception {
        watch(1, folder);
        Files.writeString(folder.resolve("a b%\u00e9"), "x");

        hears(" f " + at + " a%20b%25%C3%A9", "cmw");
    }

    @Test
    void renamesRemovalsAndAttributes() throws Exception {
        Path a = Files.writeString(folder.resolve("a"), "x");
        watch(1, folder);
        Files.setLastModifiedTime(a, FileTime.from(Instant.ofEpochSecond(5)));
        assertThat(next()).isEqualTo("a f " + at + " a");
        Files.move(a, folder.resolve("b"));
        assertThat(next()).isEqualTo("v f " + at + " a " + at + " b");
        Files.delete(folder.resolve("b"));
        assertThat(next()).isEqualTo("d f " + at + " b");
        Files.move(Files.writeString(temp.resolve("from outside"), "x"), folder.resolve("in"));
        assertThat(next()).isEqualTo("c f " + at + " in");
        Files.move(folder.resolve("in"), temp.resolve("out"));
        assertThat(next()).isEqualTo("d f " + at + " in");
        Files.createSymbolicLink(folder.resolve("l"), Path.of("/"));
        assertThat(next()).isEqualTo("c l " + at + " l");
    }

    @Test
    void newDirectory_isWatchedOnceTheGuestKnowsIt() throws Exception {
        watch(1, folder);
        Path sub = Files.createDirectory(folder.resolve("sub"));
        assertThat(next()).isEqualTo("c d " + at + " sub");
        Files.createDirectory(sub.resolve("unheard"));
        await(() -> watch.figures().directories() == 3);
        guest.walk(sub.toString());
        Files.createDirectory(sub.resolve("deep"));
        assertThat(next()).isEqualTo("c d " + at + "/sub deep");

        Files.move(sub, folder.resolve("moved"));
        assertThat(next()).isEqualTo("v d " + at + " sub " + at + " moved");
        Files.createDirectory(folder.resolve("moved/more"));
        assertThat(next()).isEqualTo("c d " + at + "/moved more");
        await(() -> watch.figures().directories() == 5);
        Files.move(folder.resolve("moved"), temp.resolve("gone"));
        assertThat(next()).isEqualTo("d d " + at + " moved");
        await(() -> watch.figures().directories() == 1);
    }

    @Test
    void whatTheGuestDoes_isNotSaid() throws Exception {
        long root = guest.walk(folder.toString()).node();
        watch(1, folder);
        long[] file = guest.create(root, "g", Open.O_RDWR, 0x1A4);
        guest.write(file[0], file[1], 0, new byte[] {1, 2}).ok();
        guest.setattr(file[0], -1, -1, 0x180).ok();
        guest.release(file[0], file[1]).ok();
        guest.mkdir(root, "d", 0x1C0);
        guest.symlink(root, "s", "g").ok();
        guest.link(file[0], root, "h").ok();
        guest.rename(root, "g", root, "g2", 0).ok();
        guest.rename(root, "g2", root, "s", 2).ok();
        guest.unlink(root, "s").ok();
        guest.unlink(root, "g2").ok();
        guest.rmdir(root, "d").ok();
        await(() -> watch.figures().own() >= 11);
        Files.createDirectory(folder.resolve("host"));

        assertThat(next()).isEqualTo("c d " + at + " host");
        guest.unlink(root, "none");
        Files.createDirectory(folder.resolve("none"));
        assertThat(next()).isEqualTo("c d " + at + " none");
    }

    @Test
    void whatTheHostDoesAfterTheGuest_isSaid() throws Exception {
        long root = guest.walk(folder.toString()).node();
        watch(1, folder);
        long[] file = guest.create(root, "g", Open.O_RDWR, 0x1A4);
        guest.write(file[0], file[1], 0, new byte[] {1, 2}).ok();
        long guests = Files.getLastModifiedTime(folder.resolve("g")).toMillis();
        await(() -> System.currentTimeMillis() > guests + 20);
        Files.writeString(folder.resolve("g"), "host");

        String line = next();
        assertThat(line).endsWith(" f " + at + " g").startsWith("m");
    }

    @Test
    void mountedFile_isHeardAloneOfItsDirectory() throws Exception {
        Path one = Files.writeString(folder.resolve("one"), "x");
        watch(1, one);
        Files.createDirectory(folder.resolve("dir"));
        Files.writeString(folder.resolve("other"), "x");
        Files.delete(one);

        assertThat(next()).isEqualTo("d f " + at + " one");
    }

    @Test
    void moreDirectoriesThanMayBe_areCounted() throws Exception {
        for (int i = 0; i < 60; i++) {
            Files.createDirectory(folder.resolve("d" + i));
        }
        watch(50, folder);

        assertThat(watch.figures().unwatched()).isEqualTo(11);
    }

    @Test
    void withheldDirectory_isNotWatchedThoughItComesLater() throws Exception {
        watch(1, folder);
        Files.createDirectory(folder.resolve("mine"));
        Files.createDirectory(folder.resolve("other"));
        Predicate<String> other = line -> line.endsWith(" other");
        await(() -> said.stream().anyMatch(other));

        assertThat(watch.figures().directories()).isEqualTo(2);
    }

    @Test
    void foldersNoLongerMounted_areNotWatched() throws Exception {
        Path a = Files.createDirectories(folder.resolve("a/sub"));
        Path b = Files.createDirectories(folder.resolve("b"));
        watch(2, a, b);
        watch(3, folder.resolve("a"), a, b);
        watch(1, b);
        watch.watch(Set.of());
        await(() -> watch.figures().directories() == 0);
    }

    @Test
    void slowGuest_hearsTheNewestFirst() throws Exception {
        watch.close();
        BlockingQueue<String> lines = new LinkedBlockingQueue<>();
        try (HostWatch slow = new HostWatch(server, List.of(), lines::add, 50)) {
            slow.session(true);
            slow.watch(Set.of(folder));
            await(() -> slow.figures().directories() == 1);
            for (int i = 0; i < 3000; i++) {
                Files.createSymbolicLink(folder.resolve("s" + i), Path.of("/"));
            }
            await(() -> slow.figures().waiting() + lines.size() == 3000);
            assertThat(lines).hasSize(HostWatch.WINDOW);
            Files.createSymbolicLink(folder.resolve("single"), Path.of("/"));
            await(() -> slow.figures().waiting() + lines.size() == 3001);
            int heard = 0;
            while (!String.valueOf(lines.poll(30, TimeUnit.SECONDS)).endsWith(" single")) {
                heard++;
                slow.answered(true);
            }
            assertThat(heard).isLessThanOrEqualTo(HostWatch.WINDOW + ChangeQueue.FRESH);
        }
    }
}
