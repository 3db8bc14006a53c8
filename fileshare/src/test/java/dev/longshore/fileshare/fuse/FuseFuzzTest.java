package dev.longshore.fileshare.fuse;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.longshore.fileshare.share.Limits;
import dev.longshore.fileshare.share.Ownership;
import dev.longshore.fileshare.share.SharedFolder;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/**
 * A guest that sends any requests, in any order, with ids that it was told and others. No exception, a reply to each that
 * wants one, and nothing outside of the folder changes. How to search: {@code ./longshore fuzz}.
 */
class FuseFuzzTest {
    private static final int MOST_STEPS = 200;
    private static final int IDS = 16;

    /** Input: the ownership; then requests, each with opcode, node, how the memory lies, the arguments' length and the arguments. */
    @FuzzTest(maxDuration = "2m")
    void requests(byte[] input) throws IOException {
        if (input.length == 0) {
            return;
        }
        Path directory = Files.createTempDirectory("longshore-fuzz");
        try {
            Path folder = Files.createDirectory(directory.resolve("share"));
            Files.writeString(folder.resolve("a"), "a");
            Files.createDirectory(folder.resolve("d"));
            Files.createSymbolicLink(folder.resolve("l"), directory);
            Path canary = Files.writeString(directory.resolve("canary"), "untouched");
            Object mode = Files.getAttribute(canary, "unix:mode");
            Ownership ownership = (input[0] & 1) == 0 ? Ownership.OVERRIDE : Ownership.ofThisProcess();
            try (FuseServer server = new FuseServer(
                    List.of(new SharedFolder(folder)),
                    ownership,
                    new Limits(50, 16, 10),
                    CacheTimes.AUTO,
                    directory.resolve("state"))) {
                new Play(server, folder).play(ByteBuffer.wrap(input, 1, input.length - 1));
                assertThat(server.bugs()).isZero();
            }
            assertThat(canary).hasContent("untouched");
            assertThat(Files.getAttribute(canary, "unix:mode")).isEqualTo(mode);
            try (Stream<Path> all = Files.list(directory)) {
                assertThat(all.map(p -> p.getFileName().toString())).containsOnly("share", "state", "canary");
            }
        } finally {
            delete(directory);
        }
    }

    private static void delete(Path directory) throws IOException {
        List<Path> all;
        try (Stream<Path> s = Files.walk(directory)) {
            all = s.sorted((a, b) -> b.compareTo(a)).toList();
        }
        for (Path p : all) {
            Files.delete(p);
        }
    }

    private static final class Play {
        private final FuseServer server;
        private final long[] ids = new long[IDS];
        private int told;

        Play(FuseServer server, Path folder) {
            this.server = server;
            FuseGuest guest = new FuseGuest(server);
            ids[told++] = FuseGuest.ROOT;
            long root = guest.walk(folder.toString()).node();
            ids[told++] = root;
            ids[told++] = guest.lookup(root, "a").node();
            ids[told++] = guest.lookup(root, "d").node();
            ids[told++] = guest.lookup(root, "l").node();
        }

        void play(ByteBuffer in) {
            for (int i = 0; i < MOST_STEPS && in.remaining() >= 4; i++) {
                int opcode = in.get() & 0x3F;
                int node = in.get() & 0xFF;
                int piece = 1 + (in.get() & 0xFF);
                byte[] arguments = new byte[Math.min(in.get() & 0xFF, in.remaining())];
                in.get(arguments);
                if (opcode != Opcode.SYNCFS) { // the whole machine would wait
                    request(i, opcode, node, piece, arguments);
                }
            }
        }

        private void request(int unique, int opcode, int node, int piece, byte[] arguments) {
            ByteBuffer b = ByteBuffer.allocate(40 + arguments.length).order(ByteOrder.LITTLE_ENDIAN);
            b.putInt(0, b.capacity())
                    .putInt(4, opcode)
                    .putLong(8, unique)
                    .putLong(16, node < 200 ? ids[node % IDS] : node);
            b.putInt(24, node & 1).putInt(28, node & 2).putShort(36, (short) (piece == 256 ? 2 : 0));
            b.put(40, arguments);
            if (opcode == Opcode.FALLOCATE && arguments.length >= 24) {
                b.putLong(48, b.getLong(48) & 0xFFFFF).putLong(56, b.getLong(56) & 0xFFFFF); // not the whole disk
            }
            ByteExchange x = new ByteExchange(b.array(), piece % 7 == 0 ? piece : 10_000, piece);
            server.handle(x);
            assertThat(x.isCompleted()).isTrue();
            byte[] reply = x.reply();
            if (reply.length == 0) {
                return;
            }
            ByteBuffer r = ByteBuffer.wrap(reply).order(ByteOrder.LITTLE_ENDIAN);
            assertThat(r.getInt(0)).isEqualTo(reply.length);
            assertThat(r.getInt(4)).isBetween(-4095, 0);
            assertThat(r.getLong(8)).isEqualTo(unique);
            boolean entry = opcode == Opcode.LOOKUP
                    || opcode == Opcode.MKDIR
                    || opcode == Opcode.MKNOD
                    || opcode == Opcode.SYMLINK
                    || opcode == Opcode.CREATE;
            if (entry && reply.length >= 24) {
                ids[told++ % IDS] = r.getLong(16);
            }
        }
    }
}
