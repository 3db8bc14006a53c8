package dev.longshore.fileshare.fuse;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.longshore.fileshare.share.Limits;
import dev.longshore.fileshare.share.Ownership;
import dev.longshore.fileshare.share.SharedFolder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/**
 * A guest that asks for anything and somebody on the host who moves things about, in turns: nothing outside of the shared folder and nothing
 * that is withheld in it is touched, and nothing throws. How to search: {@code ./longshore fuzz}.
 */
class WildGuestFuzzTest {
    private static final int MOST_STEPS = 300;

    /** Input: the ownership; then for each step which side moves and what it chooses, a byte for each choice. */
    @FuzzTest(maxDuration = "2m")
    void guestAndHost(byte[] input) throws IOException {
        Path top = Files.createTempDirectory("longshore-fuzz").toRealPath();
        try {
            play(top, new Choices(input));
        } finally {
            delete(top);
        }
    }

    private static void play(Path top, Choices choices) throws IOException {
        Path share = Files.createDirectory(top.resolve("share"));
        Files.createDirectory(top.resolve("limbo"));
        Path state = Files.createDirectory(top.resolve("state"));
        Files.createSymbolicLink(top.resolve("link"), top.resolve("outside"));
        Outside outside = new Outside(top.resolve("outside"));
        Outside withheld = new Outside(share.resolve(".s/longshore"));
        Ownership ownership = choices.next(2) == 0 ? Ownership.OVERRIDE : Ownership.ofThisProcess();
        try (FuseServer server = new FuseServer(
                        List.of(new SharedFolder(share)),
                        List.of(share.resolve(".s/longshore")),
                        ownership,
                        new Limits(50, 16, 10),
                        CacheTimes.AUTO,
                        state);
                WildHost host = new WildHost(top, choices::next)) {
            WildGuest guest = new WildGuest(server, share, top.resolve("outside"), choices::next);
            for (int i = 0; i < MOST_STEPS && !choices.areOver(); i++) {
                if (choices.next(4) == 0) {
                    host.step();
                } else {
                    guest.step();
                }
            }
            assertThat(server.bugs()).isZero();
        }
        outside.assertUntouched("outside");
        withheld.assertUntouched("withheld");
        try (Stream<Path> all = Files.list(top)) {
            assertThat(all.map(p -> p.getFileName().toString()))
                    .containsExactlyInAnyOrder("share", "limbo", "state", "link", "outside");
        }
    }

    /** Numbers out of bytes; zeros when there are no more. */
    private static final class Choices {
        private final byte[] bytes;
        private int at;

        Choices(byte[] bytes) {
            this.bytes = bytes;
        }

        int next(int bound) {
            return at < bytes.length ? (bytes[at++] & 0xFF) % bound : 0;
        }

        boolean areOver() {
            return at >= bytes.length;
        }
    }

    private static void delete(Path directory) throws IOException {
        if (Files.isDirectory(directory, LinkOption.NOFOLLOW_LINKS)) {
            List<Path> all;
            try (Stream<Path> s = Files.list(directory)) {
                all = s.toList();
            }
            for (Path p : all) {
                delete(p);
            }
        }
        Files.delete(directory);
    }
}
