package dev.longshore.proxy.intercept;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TransparentPortsTest {
    @Test
    void list_hasWhatItNames() {
        TransparentPorts ports = TransparentPorts.parse("80, 443,65535");

        assertThat(ports.contains(80) && ports.contains(443) && ports.contains(65_535))
                .isTrue();
        assertThat(ports.contains(81) || ports.contains(8080)).isFalse();
    }

    @Test
    void star_hasAll_andNothingNone() {
        assertThat(TransparentPorts.parse("*").contains(1)).isTrue();
        assertThat(TransparentPorts.parse(" ").contains(80)).isFalse();
    }

    @ParameterizedTest
    @ValueSource(strings = {"0", "65536", "80;443", "http", "80,", "*,80", "-1", "8 0"})
    void anythingElse_isRefusedWithItsText(String text) {
        assertThatThrownBy(() -> TransparentPorts.parse(text))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("80,443, or * for all");
    }
}
