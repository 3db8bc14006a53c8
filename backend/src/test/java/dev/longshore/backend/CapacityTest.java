package dev.longshore.backend;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.config.Settings;
import org.junit.jupiter.api.Test;

class CapacityTest {
    private static final Settings.Limits WANTED = new Settings.Limits(16_384, 4_096, 2_048, 100);
    private static final long MIB = 1 << 20;

    /** for-mac: all failed at about 2000 connections. The daemon's own bounds and Debian's usual RLIMIT_NOFILE of a container: the guest can't take all descriptors. */
    @Test
    void smallProcess_keepsDescriptorsAndMemoryForOthers() {
        Capacity c = Capacity.of(WANTED, 20_000, 192 * MIB, 192 * MIB);
        assertThat(c.tcpFlows()).isBetween(8_000, 12_000);
        assertThat(c.udpFlows()).isGreaterThan(900);
        assertThat(c.dials()).isGreaterThan(500);
        assertThat(c.tcpFlows() + c.dials() + 2 * c.udpFlows() + c.idleOrigins() + c.fileNodes() + c.fileHandles())
                .isLessThanOrEqualTo(20_000 - 6_144);
        assertThat(c.idleOrigins()).isEqualTo(433);
        assertThat(c.fileNodes()).isGreaterThan(700);
        assertThat(c.fileHandles()).isGreaterThan(1_500);
        assertThat(c.bufferedBytes()).isEqualTo(24 * MIB);
    }

    @Test
    void largeProcess_hasWhatTheSettingsSay() {
        Capacity c = Capacity.of(WANTED, 1 << 20, 4096 * MIB, 4096 * MIB);
        assertThat(c).isEqualTo(new Capacity(16_384, 2_048, 4_096, 1_024, 256 * MIB, 10_000, 100_000));
    }

    @Test
    void tinyOrUnlimited_isStillANumber() {
        assertThat(Capacity.of(WANTED, 64, MIB, MIB).tcpFlows()).isEqualTo(16);
        assertThat(Capacity.of(WANTED, 64, MIB, MIB).idleOrigins()).isEqualTo(4);
        assertThat(Capacity.of(WANTED, 64, MIB, MIB).fileHandles()).isEqualTo(64);
        assertThat(Capacity.of(WANTED, Long.MAX_VALUE, Long.MAX_VALUE, Long.MAX_VALUE))
                .isEqualTo(new Capacity(16_384, 2_048, 4_096, 1_024, 256 * MIB, 10_000, 100_000));
        assertThat(Capacity.of(new Settings.Limits(16, 16, 1, 1), 1 << 20, 4096 * MIB, 4096 * MIB)
                        .udpFlows())
                .isEqualTo(16);
    }

    @Test
    void thisProcess_hasRoom() {
        assertThat(Capacity.ofProcess(WANTED).tcpFlows()).isGreaterThanOrEqualTo(16);
    }
}
