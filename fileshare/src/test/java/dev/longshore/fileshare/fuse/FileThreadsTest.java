package dev.longshore.fileshare.fuse;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.longshore.fileshare.os.Open;
import dev.longshore.fileshare.share.Limits;
import dev.longshore.fileshare.share.Ownership;
import dev.longshore.fileshare.share.SharedFolder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Threads that can open nothing but what is shared. */
@Timeout(60)
class FileThreadsTest {
    @TempDir
    Path host;

    @TempDir
    Path state;

    private Path folder;
    private Path secret;
    private FuseServer server;
    private FileThreads threads;
    private FuseGuest guest;

    @BeforeEach
    void start() throws IOException {
        folder = Files.createDirectory(host.toRealPath().resolve("share"));
        secret = Files.writeString(host.toRealPath().resolve("secret"), "x");
        server = new FuseServer(List.of(new SharedFolder(folder)), state);
        threads = server.fileThreads("files", 2, List.of());
        guest = new FuseGuest(server);
        assumeTrue(threads.isConfining(), "the kernel has no Landlock");
    }

    @AfterEach
    void stop() throws Exception {
        threads.shutdown();
        assertThat(threads.awaitTermination(30, TimeUnit.SECONDS)).isTrue();
        server.close();
    }

    private <T> T on(Callable<T> work) throws ExecutionException, InterruptedException {
        return threads.submit(work).get();
    }

    private boolean canRead(Path file) throws ExecutionException, InterruptedException {
        return on(() -> {
            try {
                Files.readAllBytes(file);
                return true;
            } catch (IOException e) {
                return false;
            }
        });
    }

    @Test
    void thread_readsAndWritesWhatIsShared_andNothingElse() throws Exception {
        long[] f = on(() -> {
            long root = guest.walk(folder.toString()).node();
            long[] made = guest.create(root, "f", Open.O_RDWR, 0x1A4);
            guest.write(made[0], made[1], 0, new byte[10]).ok();
            guest.release(made[0], made[1]).ok();
            guest.mkdir(root, "d", 0x1ED);
            guest.rename(root, "f", guest.lookup(root, "d").node(), "g", 0).ok();
            return made;
        });
        assertThat(on(() -> guest.open(f[0], Open.O_RDWR).error())).isZero();
        on(() -> guest.truncate(f[0], 5, 0).ok());
        assertThat(folder.resolve("d/g")).hasSize(5);
        assertThat(canRead(folder.resolve("d/g"))).isTrue();
        assertThat(canRead(secret)).isFalse();
        assertThat(canRead(Path.of("/etc/hostname"))).isFalse();
        assertThat(Files.readString(secret)).isEqualTo("x"); // this thread is as it was
    }

    @Test
    void folderThatIsSharedLater_canBeOpened() throws Exception {
        assertThat(canRead(secret)).isFalse();
        Path later = Files.createDirectory(host.toRealPath().resolve("later"));
        Files.writeString(later.resolve("f"), "hello");
        server.share(List.of(new SharedFolder(folder), new SharedFolder(later)));
        long f = on(() -> guest.walk(later + "/f").node());
        assertThat(on(() -> guest.open(f, Open.O_RDONLY).error())).isZero();
        server.share(List.of(new SharedFolder(folder)));
        assertThat(canRead(later.resolve("f"))).isFalse();
        assertThat(canRead(secret)).isFalse();
    }

    /** They have to look at what is outside of the folders to know. */
    @Test
    void withheldDirectory_isEmptyForThem_too() throws Exception {
        Path own = Files.createDirectory(folder.resolve("own"));
        Files.writeString(own.resolve("f"), "x");
        try (FuseServer other = new FuseServer(
                List.of(new SharedFolder(folder)),
                List.of(own),
                Ownership.ofThisProcess(),
                Limits.ofThisProcess(),
                CacheTimes.AUTO,
                state.resolve("other"))) {
            FileThreads confined = other.fileThreads("other", 1, List.of());
            FuseGuest asking = new FuseGuest(other);
            for (int i = 0; i < 2; i++) {
                assertThat(confined.submit(() ->
                                        asking.list(asking.walk(own.toString()).node(), true, 4096))
                                .get())
                        .extracting(FuseGuest.Listed::name)
                        .containsExactly(".", "..");
                Files.move(own, folder.resolve("old" + i));
                Files.createDirectory(own);
                Files.writeString(own.resolve("f"), "x");
            }
            confined.shutdown();
            assertThat(confined.awaitTermination(30, TimeUnit.SECONDS)).isTrue();
        }
    }

    @Test
    void manyRequests_areAllDone() throws Exception {
        int n = 1000;
        CountDownLatch done = new CountDownLatch(n);
        for (int i = 0; i < n; i++) {
            threads.execute(done::countDown);
            if (i % 100 == 0) {
                server.share(List.of(new SharedFolder(folder)));
            }
        }
        done.await();
    }
}
