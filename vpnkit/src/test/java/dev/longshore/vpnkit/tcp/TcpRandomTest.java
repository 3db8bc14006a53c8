package dev.longshore.vpnkit.tcp;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.packet.link.FrameSink;
import dev.longshore.packet.wire.TcpHeader;
import dev.longshore.testkit.Received;
import dev.longshore.testkit.TcpGuest;
import dev.longshore.vpnkit.hostsocket.DialResult;
import io.netty.buffer.ByteBuf;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Any segments in any order, with hosts that do anything: nothing throws, every invariant holds, nothing stays behind. */
class TcpRandomTest {
    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
    void anything_isSurvived(long seed) {
        Random random = new Random(seed);
        try (TcpBench bench = new TcpBench(new TcpLimits(6, 4, 1 << 20))) {
            if (random.nextBoolean()) {
                bench.link.offloading();
            }
            List<FakeHost> hosts = new ArrayList<>();
            int[] seen = new int[4]; // what we acknowledged last, for each port
            int[] ours = new int[4]; // our next number
            for (int step = 0; step < 2000; step++) {
                int port = random.nextInt(4);
                TcpGuest guest = new TcpGuest(bench.guestEnd, 1000 + port, TcpBench.REMOTE, 80);
                switch (random.nextInt(12)) {
                    case 0, 1, 2, 3, 4, 5 -> segment(guest, random, seen[port], ours[port]);
                    case 6 -> dial(bench, hosts, random);
                    case 7, 8 -> host(hosts, random);
                    case 9 -> bench.advance(Duration.ofMillis(random.nextInt(random.nextInt(20) == 0 ? 60_000 : 500)));
                    case 10 -> bench.link.limitRoom(random.nextInt(3));
                    default -> bench.link.makeRoom();
                }
                bench.run();
                while (bench.guestEnd.hasReceived()) {
                    Received r = bench.guestEnd.receive();
                    int at = r.transportAt();
                    int to = TcpHeader.destinationPort(r.frame(), at) - 1000;
                    int flags = TcpHeader.flags(r.frame(), at);
                    if ((flags & TcpHeader.ACK) != 0 && (flags & TcpHeader.RST) == 0) {
                        seen[to] = TcpHeader.ack(r.frame(), at);
                    } else {
                        assertThat(flags & (TcpHeader.SYN | TcpHeader.RST))
                                .as("lesson 20")
                                .isNotZero();
                    }
                    ours[to] = TcpHeader.seq(r.frame(), at) + TcpHeader.segLen(r.frame(), at, r.transportLen());
                }
            }
            assertThat(bench.count(TcpCounter.ENDED_BUG)).as("seed %d", seed).isZero();
            bench.link.makeRoom();
            bench.stack.endAll();
            bench.run();
            for (FakeHost host : hosts) {
                host.finishes(); // what was closed in good order had its guest's end of stream
                host.channel.close();
            }
            bench.run();
            bench.guestEnd.clearReceived();
        }
    }

    private static void segment(TcpGuest guest, Random random, int seen, int ours) {
        int seq = near(random, seen);
        int ack = near(random, ours);
        guest.window(random.nextInt(4) == 0 ? random.nextInt(3) : random.nextInt(0x10000));
        int kind = random.nextInt(10);
        if (kind == 0) {
            guest.sendsSyn(random.nextInt(), random.nextInt(2000), random.nextInt(16) - 1);
            return;
        }
        int flags = kind < 8 ? TcpHeader.ACK : random.nextInt(64);
        flags |= random.nextInt(12) == 0 ? TcpHeader.FIN : 0;
        flags |= random.nextInt(60) == 0 ? TcpHeader.RST : 0;
        byte[] payload = new byte[random.nextInt(3) == 0 ? 0 : random.nextInt(3000)];
        ByteBuf segment = guest.segment(flags, seq, ack, payload);
        if (random.nextInt(50) == 0) {
            segment.setByte(12, random.nextInt(256));
        }
        guest.sendsRaw(segment, random.nextInt(20) == 0 ? 0 : FrameSink.CHECKSUM_VALID);
    }

    private static int near(Random random, int value) {
        return switch (random.nextInt(6)) {
            case 0 -> random.nextInt();
            case 1 -> value + random.nextInt(5000) - 2500;
            default -> value;
        };
    }

    private static void dial(TcpBench bench, List<FakeHost> hosts, Random random) {
        TcpBench.Dial dial = bench.dials.poll();
        if (dial == null) {
            return;
        }
        switch (random.nextInt(8)) {
            case 0 -> dial.answers(new DialResult.Refused());
            case 1 -> dial.answers(new DialResult.Failed("no descriptors"));
            default -> {
                FakeHost host = new FakeHost(bench.loop);
                hosts.add(host);
                dial.answers(new DialResult.Connected(host.channel));
                if (dial.promise().isCancelled()) {
                    host.channel.close();
                }
            }
        }
    }

    private static void host(List<FakeHost> hosts, Random random) {
        if (hosts.isEmpty()) {
            return;
        }
        FakeHost host = hosts.get(Math.max(0, hosts.size() - 1 - random.nextInt(4)));
        switch (random.nextInt(16)) {
            case 0 -> host.finishes();
            case 1 -> {
                if (random.nextInt(4) == 0) {
                    host.resets();
                }
            }
            case 2 -> host.stalls(random.nextInt(5000));
            case 3, 4 -> host.resumes();
            default -> host.sends(new byte[random.nextInt(20_000)]);
        }
    }
}
