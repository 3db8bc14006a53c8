package dev.longshore.fileshare.fuse;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.fileshare.os.Open;
import dev.longshore.fileshare.share.Limits;
import dev.longshore.fileshare.share.Ownership;
import dev.longshore.fileshare.share.SharedFolder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Several threads at once, with hardly any descriptors, while what is shared changes and the guest's kernel starts anew: a
 * descriptor that were closed too early would be another file's by then. Files only ever have their name as content.
 */
class ConcurrentRequestsTest {
    private static final int FILES = 60;
    private static final int ROUNDS = 1500;

    @TempDir
    Path host;

    @TempDir
    Path state;

    private FuseServer server;
    private Path folder;
    private Path other;

    @BeforeEach
    void makeFiles() throws IOException {
        folder = Files.createDirectory(host.toRealPath().resolve("share"));
        other = Files.createDirectory(host.toRealPath().resolve("other"));
        for (Path top : List.of(folder, other)) {
            for (int i = 0; i < FILES; i++) {
                Path d = Files.createDirectories(top.resolve("d" + i % 6));
                Files.writeString(d.resolve("f" + i), "f" + i);
            }
        }
        server = newServer();
    }

    @Test
    @Timeout(120)
    void threads_neverGetAnotherFile_andLeaveNothingOpen() throws Exception {
        play(new Random(1), true); // opens what the JVM opens when something is used for the first time
        server.threadEnds();
        server.close();
        long before = openFiles();
        server = newServer();
        List<Future<?>> all = new ArrayList<>();
        try (ExecutorService threads = Executors.newFixedThreadPool(4)) {
            for (int t = 0; t < 4; t++) {
                int seed = t;
                all.add(threads.submit(() -> {
                    play(new Random(seed), seed == 0);
                    server.threadEnds();
                }));
            }
            for (Future<?> f : all) {
                f.get();
            }
        }
        assertThat(server.bugs()).isZero();
        server.close();
        assertThat(server.descriptorCount()).isZero();
        assertThat(openFiles()).isLessThanOrEqualTo(before);
    }

    private FuseServer newServer() throws IOException {
        return new FuseServer(
                List.of(new SharedFolder(folder), new SharedFolder(other)),
                Ownership.OVERRIDE,
                new Limits(1000, 16, 40),
                CacheTimes.AUTO,
                state);
    }

    private static long openFiles() throws IOException {
        try (Stream<Path> s = Files.list(Path.of("/proc/self/fd"))) {
            return s.count();
        }
    }

    private void play(Random random, boolean disturbs) {
        FuseGuest guest = new FuseGuest(server);
        for (int i = 0; i < ROUNDS; i++) {
            if (disturbs && i % 100 == 50) {
                guest.init();
            }
            if (disturbs && i % 70 == 0) {
                List<SharedFolder> some = new ArrayList<>(List.of(new SharedFolder(folder)));
                if (i % 140 == 0) {
                    some.add(new SharedFolder(other));
                }
                server.share(some);
            }
            int n = random.nextInt(FILES);
            long d = look(guest, (random.nextBoolean() ? folder : other) + "/d" + n % 6);
            long f = d == 0 ? 0 : id(guest.lookupReply(d, "f" + n));
            if (f != 0) {
                use(guest, random, d, f, "f" + n);
            }
        }
    }

    private static long look(FuseGuest guest, String path) {
        long at = FuseGuest.ROOT;
        for (String s : path.substring(1).split("/", -1)) {
            at = at == 0 ? 0 : id(guest.lookupReply(at, s));
        }
        return at;
    }

    private static long id(FuseGuest.Reply r) {
        return r.error() == 0 ? r.u64(0) : 0;
    }

    private static void use(FuseGuest guest, Random random, long d, long f, String name) {
        FuseGuest.Reply open = guest.open(f, Open.O_RDWR);
        if (open.error() == 0) {
            FuseGuest.Reply read = guest.read(f, open.u64(0), 0, 100);
            if (read.error() == 0) {
                assertThat(read.text()).isEqualTo(name);
            }
            guest.write(f, open.u64(0), 0, name.getBytes(UTF_8));
            guest.release(f, open.u64(0));
        }
        switch (random.nextInt(5)) {
            case 0 -> guest.rename(d, name, d, name + ".new", 1);
            case 1 -> guest.rename(d, name + ".new", d, name, 1);
            case 2 -> guest.setattr(f, random.nextInt(100), -1, 0x1A4);
            case 3 -> guest.link(f, d, name + ".new");
            default -> guest.forget(f, 1 + random.nextInt(3));
        }
    }
}
