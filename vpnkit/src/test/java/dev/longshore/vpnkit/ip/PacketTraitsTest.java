package dev.longshore.vpnkit.ip;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.packet.link.FrameSink;
import org.junit.jupiter.api.Test;

class PacketTraitsTest {
    @Test
    void whatAnIpHeaderSays_isKept_besideTheOffloadBits() {
        int traits = PacketTraits.of(FrameSink.CHECKSUM_PARTIAL, 255, 0xB8, true);
        assertThat(traits & FrameSink.CHECKSUM_PARTIAL).isNotZero();
        assertThat(traits & FrameSink.CHECKSUM_VALID).isZero();
        assertThat(PacketTraits.hopsLeft(traits)).isEqualTo(254);
        assertThat(PacketTraits.trafficClass(traits)).isEqualTo(0xB8);
        assertThat(PacketTraits.dontFragment(traits)).isTrue();
        assertThat(PacketTraits.dontFragment(PacketTraits.of(0, 1, 0, false))).isFalse();
    }

    @Test
    void lastHop_isNeverPassed_andSilenceMeansTheUsual() {
        assertThat(PacketTraits.hopsLeft(PacketTraits.of(0, 1, 0, false))).isEqualTo(1);
        assertThat(PacketTraits.hopsLeft(FrameSink.CHECKSUM_VALID)).isEqualTo(64);
    }

    @Test
    void congestionMarks_endHere() {
        assertThat(PacketTraits.trafficClass(PacketTraits.of(0, 64, 0x03, false)))
                .isZero();
    }
}
