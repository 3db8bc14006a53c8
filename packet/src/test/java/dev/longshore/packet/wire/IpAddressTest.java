package dev.longshore.packet.wire;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class IpAddressTest {
    @Test
    void v4_isMapped() {
        IpAddress a = IpAddress.parse("192.168.65.3");
        assertThat(a.isV4()).isTrue();
        assertThat(a.v4Bits()).isEqualTo(0xC0A84103);
        assertThat(a).hasToString("192.168.65.3");
    }

    @ParameterizedTest
    @CsvSource({
        "2001:db8:0:0:0:0:0:1, 2001:db8::1",
        "::, ::",
        "::1, ::1",
        "2001:db8:0:1:1:1:1:1, 2001:db8:0:1:1:1:1:1",
        "2001:0:0:1:0:0:0:1, 2001:0:0:1::1",
        "fdc4:f303:9324::254, fdc4:f303:9324::254",
        "1:2:3:4:5:6:0:0, 1:2:3:4:5:6::",
    })
    void v6_textIsCanonical(String text, String canonical) {
        assertThat(IpAddress.parse(text)).hasToString(canonical);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "localhost", "1.2.3.4.5", "1.2.3", "1", "host.docker.internal", "fe80::1%eth0", "::g"})
    void name_isRefusedWithoutLookup(String text) {
        assertThatThrownBy(() -> IpAddress.parse(text)).isInstanceOf(IllegalArgumentException.class);
    }

    /** A guest's request may have 16 KiB of a target: nothing may take the square of that. */
    @Test
    @Timeout(60)
    void endlessText_isRefusedAtOnce() {
        assertThatThrownBy(() -> IpAddress.parse(":".repeat(1_000_000) + "g"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageMatching("not an IP address: ':{45}…'");
        assertThat(IpAddress.parse("1111:2222:3333:4444:5555:6666:255.255.255.255"))
                .hasToString("1111:2222:3333:4444:5555:6666:ffff:ffff");
    }
}
