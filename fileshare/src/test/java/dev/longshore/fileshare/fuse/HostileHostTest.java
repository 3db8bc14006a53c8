package dev.longshore.fileshare.fuse;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.fileshare.share.Limits;
import dev.longshore.fileshare.share.Ownership;
import dev.longshore.fileshare.share.SharedFolder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Guests that ask for anything by several threads, while somebody on the host renames, links and exchanges as fast as he can, with as few
 * descriptors as there may be: whatever happens, nothing outside of the shared folder is read, listed, written, made, removed or changed in
 * any way, nor what is withheld in it.
 */
class HostileHostTest {
    private static final int GUESTS = 4;
    private static final int STEPS = 12_000;

    @TempDir
    Path temp;

    @TempDir
    Path state;

    @ParameterizedTest
    @EnumSource(Ownership.class)
    @Timeout(240)
    void races_touchNothingOutside(Ownership wanted) throws Exception {
        Ownership ownership = wanted == Ownership.HOST ? Ownership.ofThisProcess() : wanted;
        Path top = temp.toRealPath();
        Path share = Files.createDirectory(top.resolve("share"));
        Files.createDirectory(top.resolve("limbo"));
        Files.createSymbolicLink(top.resolve("link"), top.resolve("outside"));
        Outside outside = new Outside(top.resolve("outside"));
        Outside withheld = new Outside(share.resolve(".s/longshore"));
        long seed = 20_261_128;
        try (FuseServer server = new FuseServer(
                        List.of(new SharedFolder(share)),
                        List.of(share.resolve(".s/longshore")),
                        ownership,
                        new Limits(300, 16, 20),
                        CacheTimes.AUTO,
                        state);
                ExecutorService threads = Executors.newCachedThreadPool()) {
            AtomicInteger playing = new AtomicInteger(GUESTS);
            List<Future<?>> all = new ArrayList<>();
            for (int i = 0; i < GUESTS; i++) {
                Random random = new Random(seed + i);
                all.add(threads.submit(() -> {
                    try {
                        WildGuest guest = new WildGuest(server, share, top.resolve("outside"), random::nextInt);
                        for (int s = 0; s < STEPS; s++) {
                            guest.step();
                        }
                    } finally {
                        playing.decrementAndGet();
                        server.threadEnds();
                    }
                }));
            }
            for (int i = 0; i < 2; i++) {
                Random random = new Random(seed - 1 - i);
                all.add(threads.submit(() -> {
                    try (WildHost host = new WildHost(top, random::nextInt)) {
                        while (playing.get() > 0) {
                            host.step();
                        }
                    }
                }));
            }
            for (Future<?> f : all) {
                f.get();
            }
            assertThat(server.bugs()).isZero();
            outside.assertUntouched("seed " + seed);
            withheld.assertUntouched("seed " + seed);
        }
    }
}
