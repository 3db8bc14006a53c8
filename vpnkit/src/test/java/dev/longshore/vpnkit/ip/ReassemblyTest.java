package dev.longshore.vpnkit.ip;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.packet.wire.EthernetHeader;
import dev.longshore.packet.wire.IpProtocol;
import dev.longshore.packet.wire.Ipv4Header;
import dev.longshore.testkit.GuestEnd;
import dev.longshore.testkit.VirtualLink;
import dev.longshore.vpnkit.count.Counters;
import dev.longshore.vpnkit.ip.Reassembly.Partial;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.PooledByteBufAllocator;
import io.netty.buffer.Unpooled;
import io.netty.buffer.UnpooledByteBufAllocator;
import java.util.Arrays;
import java.util.Collections;
import java.util.Objects;
import java.util.Random;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** RFC 791 §3.2, RFC 815, RFC 5722. */
class ReassemblyTest {
    private static final int AT = EthernetHeader.BYTES;

    private final Reassembly reassembly = Reassembly.ofIpv4(UnpooledByteBufAllocator.DEFAULT);
    private final Counters<IpCounter> counters = new Counters<>(IpCounter.class);
    private final GuestEnd guest = new GuestEnd(new VirtualLink());
    private long now = Long.MAX_VALUE - 5;

    @AfterEach
    void nothingIsLeft() {
        reassembly.checkInvariants();
        reassembly.clear();
        assertThat(reassembly.bytes()).isZero();
    }

    private @Nullable Partial add(ByteBuf frame) {
        Partial p = reassembly.add(frame, AT, 0, now);
        frame.release();
        reassembly.count(counters);
        reassembly.checkInvariants();
        return p;
    }

    private long counted(IpCounter counter) {
        return counters.get(counter);
    }

    private ByteBuf[] fragments(byte[] payload, int mtu) {
        return guest.fragments(IpProtocol.UDP, GuestEnd.HOST, Unpooled.wrappedBuffer(payload), mtu);
    }

    /** One fragment by hand. */
    private ByteBuf fragment(int id, int offset, int bytes, boolean more) {
        ByteBuf frame = guest.ip(
                IpProtocol.UDP,
                GuestEnd.GUEST,
                GuestEnd.HOST,
                64,
                Unpooled.buffer().writeZero(bytes));
        Ipv4Header.completeFragment(frame, AT, Ipv4Header.MIN_BYTES + bytes, id, offset, more);
        return frame;
    }

    private static byte[] random(Random random, int bytes) {
        byte[] b = new byte[bytes];
        random.nextBytes(b);
        return b;
    }

    private static void assertWhole(@Nullable Partial p, byte[] payload) {
        assertThat(p).isNotNull();
        if (p != null) {
            assertThat(Ipv4Header.isValid(p.packet, 0, p.packet.readableBytes()))
                    .isTrue();
            assertThat(Ipv4Header.isChecksumRight(p.packet, 0)).isTrue();
            assertThat(ByteBufUtil.getBytes(p.packet, Ipv4Header.MIN_BYTES, payload.length))
                    .isEqualTo(payload);
            assertThat(Ipv4Header.totalLength(p.packet, 0)).isEqualTo(payload.length + Ipv4Header.MIN_BYTES);
            p.packet.release();
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {28, 36, 576, 1500})
    void fragmentsInAnyOrder_withDuplicates_becomeThePacket(int mtu) {
        for (long seed = 0; seed < 5; seed++) {
            Random random = new Random(seed);
            byte[] payload = random(random, 1 + random.nextInt(mtu == 28 ? 500 : 65_515));
            ByteBuf[] frames = fragments(payload, mtu);
            if (frames.length < 2) {
                frames[0].release();
                continue;
            }
            Collections.shuffle(Arrays.asList(frames), random);
            Partial whole = null;
            for (int i = 0; i < frames.length; i++) {
                assertThat(whole).as("seed " + seed).isNull();
                ByteBuf again = i < frames.length - 1 && random.nextInt(4) == 0 ? frames[i].copy() : null;
                whole = add(frames[i]);
                if (again != null) {
                    assertThat(add(again)).as("seed " + seed).isNull();
                }
            }
            assertWhole(whole, payload);
        }
        assertThat(reassembly.size()).isZero();
    }

    @Test
    void overlap_spoilsThePacket() {
        assertThat(add(fragment(1, 0, 16, true))).isNull();
        assertThat(add(fragment(1, 8, 16, true))).isNull();
        assertThat(counted(IpCounter.DROPPED_FRAGMENT)).isEqualTo(1);
        assertThat(reassembly.size()).isZero();
    }

    @Test
    void sameRangeWithOtherBytes_isAnOverlap() {
        assertThat(add(fragment(1, 0, 16, true))).isNull();
        ByteBuf other = fragment(1, 0, 16, true);
        other.setByte(other.writerIndex() - 1, 1);
        assertThat(add(other)).isNull();
        assertThat(reassembly.size()).isZero();
    }

    @Test
    void impossibleFragments_areDropped() {
        assertThat(add(fragment(1, 0, 12, true))).isNull(); // not a multiple of 8, and more follow
        assertThat(add(fragment(2, 65_528, 16, false))).isNull(); // beyond the largest packet: ping of death
        assertThat(add(fragment(3, 8, 0, false))).isNull();
        assertThat(reassembly.size()).isZero();
    }

    @Test
    void secondEnd_orDataBeyondTheEnd_spoilsThePacket() {
        assertThat(add(fragment(1, 16, 8, false))).isNull();
        assertThat(add(fragment(1, 24, 8, true))).isNull();
        assertThat(reassembly.size()).isZero();
        assertThat(add(fragment(2, 16, 8, true))).isNull();
        assertThat(add(fragment(2, 8, 3, false))).isNull();
        assertThat(reassembly.size()).isZero();
    }

    @Test
    void tooManyPackets_theOldestYields() {
        for (int id = 0; id < Reassembly.MAX_PACKETS + 10; id++) {
            assertThat(add(fragment(id, 0, 8, true))).isNull();
        }
        assertThat(reassembly.size()).isEqualTo(Reassembly.MAX_PACKETS);
        assertThat(counted(IpCounter.DROPPED_FRAGMENT_LIMIT)).isEqualTo(10);
        assertWhole(add(fragment(50, 8, 8, false)), new byte[16]);
        assertThat(add(fragment(5, 8, 8, false))).isNull(); // one of the oldest: its start is gone
    }

    @Test
    void tooManyBytes_theOldestYields() {
        for (int id = 0; id < Reassembly.MAX_PACKETS; id++) {
            assertThat(add(fragment(id, 65_472, 8, true))).isNull();
        }
        assertThat(reassembly.bytes()).isLessThanOrEqualTo(Reassembly.MAX_BYTES);
        assertThat(reassembly.size() + counted(IpCounter.DROPPED_FRAGMENT_LIMIT))
                .isEqualTo(Reassembly.MAX_PACKETS);
    }

    @Test
    void clear_saysHowManyAreGivenUp() {
        for (int id = 0; id < 5; id++) {
            assertThat(add(fragment(id, 0, 8, true))).isNull();
        }
        assertThat(reassembly.clear()).isEqualTo(5);
    }

    /** What a time-exceeded error quotes of a packet with holes must not be what another flow left in the buffer. */
    @Test
    void holes_holdNothingOfTheBuffersPast() {
        PooledByteBufAllocator used = new PooledByteBufAllocator(true);
        for (int bytes : new int[] {2048, 4096, 65_536}) {
            ByteBuf secret = used.directBuffer(bytes);
            while (secret.isWritable()) {
                secret.writeByte(0xAA);
            }
            secret.release(); // the next one of this size is this one
        }
        Reassembly r = Reassembly.ofIpv4(used);
        for (int at : new int[] {0, 800, 3000}) {
            ByteBuf frame = fragment(1, at, 8, true);
            assertThat(r.add(frame, AT, 0, now)).isNull();
            frame.release();
        }
        Partial expired = Objects.requireNonNull(r.pollExpired(now + Reassembly.TIMEOUT_NANOS));
        assertThat(ByteBufUtil.getBytes(expired.packet)).hasSize(20 + 3008).containsOnly(0);
        expired.packet.release();
    }

    @Test
    void timeout_comesAfterThirtySeconds_acrossTheClocksOverflow() {
        assertThat(add(fragment(1, 0, 8, true))).isNull();
        now += Reassembly.TIMEOUT_NANOS - 1;
        assertThat(reassembly.pollExpired(now)).isNull();
        now += 1;
        Partial expired = reassembly.pollExpired(now);
        assertThat(expired).isNotNull();
        if (expired != null) {
            assertThat(expired.hasStart()).isTrue();
            expired.packet.release();
        }
        assertThat(reassembly.nanosToNextDeadline(now)).isNegative();
    }
}
