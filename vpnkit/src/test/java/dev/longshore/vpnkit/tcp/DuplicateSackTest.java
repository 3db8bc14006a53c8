package dev.longshore.vpnkit.tcp;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.packet.wire.TcpOptions;
import dev.longshore.vpnkit.flow.HostSide;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** RFC 2883 against a model: a set of bytes that have come, and the first run of them that comes again. */
class DuplicateSackTest {
    private static final int SPACE = 4000;
    private static final int ROOM = 1 << 20;

    private record Block(int left, int right) {}

    @Test
    void everySegmentsDuplicates_areToldOnce_asTheModelSaysThem() {
        for (long seed = 1; seed <= 300; seed++) {
            new Run(seed).play();
        }
    }

    private static final class Run {
        private final long seed;
        private final Random random;
        private final int irs;
        private final Receiver receiver = new Receiver(1460);
        private final Sink host = new Sink();
        private final boolean[] have = new boolean[SPACE];
        private int taken;

        Run(long seed) {
            this.seed = seed;
            this.random = new Random(seed);
            this.irs = random.nextInt();
            receiver.onSyn(irs, true);
            receiver.window(ROOM, true);
            receiver.onAckSent();
        }

        void play() {
            for (int step = 0; step < 200 && taken < SPACE; step++) {
                int from = Math.max(0, Math.min(SPACE - 1, taken + random.nextInt(700) - 300));
                int len = Math.min(1 + random.nextInt(400), SPACE - from);
                Block again = firstAgain(from, len);
                receive(from, len);
                List<Block> told = blocks();
                String what = "seed " + seed + " step " + step + ": " + from + "+" + len + " at " + taken + ": " + told;
                if (again != null) {
                    assertThat(told).as(what).first().isEqualTo(again);
                    told = told.subList(1, told.size());
                }
                checkEarly(what, from, told);
                receiver.onAckSent();
                List<Block> later = blocks();
                assertThat(later.subList(0, told.size()))
                        .as("told once, " + what)
                        .isEqualTo(told);
                checkEarly(what, from, later);
            }
            receiver.release();
        }

        private @Nullable Block firstAgain(int from, int len) {
            int left = from;
            while (left < from + len && !have[left]) {
                left++;
            }
            int right = left;
            while (right < from + len && have[right]) {
                right++;
            }
            return left == right ? null : new Block(left, right);
        }

        private void receive(int from, int len) {
            ByteBuf b = Unpooled.buffer(len).writeZero(len);
            int seq = irs + 1 + from;
            if (receiver.isAcceptable(seq, len)) {
                receiver.onText(b, 0, len, seq, false, host);
            } else {
                receiver.onAgain(seq, len);
            }
            b.release();
            Arrays.fill(have, from, from + len, true);
            while (taken < SPACE && have[taken]) {
                taken++;
            }
            assertThat(receiver.rcvNxt()).isEqualTo(irs + 1 + taken);
            receiver.window(ROOM, false);
        }

        /** RFC 2018 §4: whole runs of what waits, that of the last segment first, none twice. */
        private void checkEarly(String what, int last, List<Block> told) {
            assertThat(told).as(what).doesNotHaveDuplicates();
            if (last >= taken) {
                assertThat(told).as(what).first().matches(b -> b.left() <= last && last < b.right());
            }
            for (Block b : told) {
                assertThat(b.left()).as(what).isGreaterThan(taken);
                assertThat(have[b.left() - 1]).as(what).isFalse();
                assertThat(b.right() < SPACE && have[b.right()]).as(what).isFalse();
                for (int i = b.left(); i < b.right(); i++) {
                    assertThat(have[i]).as(what).isTrue();
                }
            }
        }

        private List<Block> blocks() {
            ByteBuf h = Unpooled.buffer();
            receiver.writeSack(h, TcpOptions.MAX_SACK_BLOCKS);
            List<Block> blocks = new ArrayList<>();
            h.skipBytes(Math.min(4, h.readableBytes()));
            while (h.isReadable()) {
                blocks.add(new Block(h.readInt() - irs - 1, h.readInt() - irs - 1));
            }
            return blocks;
        }
    }

    private static final class Sink implements HostSide {
        @Override
        public void deliver(ByteBuf data) {
            data.release();
        }

        @Override
        public @Nullable InetSocketAddress hostAddress() {
            return null;
        }

        @Override
        public void flush() {}

        @Override
        public void guestFinished() {}

        @Override
        public int room() {
            return ROOM;
        }

        @Override
        public int held() {
            return 0;
        }

        @Override
        public void wantMore(boolean wanted) {}

        @Override
        public void abort() {}
    }
}
