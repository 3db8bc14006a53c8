package dev.longshore.packet.wire;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

/** RFC 9293 §3.4. */
class SeqTest {
    @Test
    void acrossTheWrap_orderHolds() {
        assertThat(Seq.lt(-1, 0)).isTrue();
        assertThat(Seq.lt(0, -1)).isFalse();
        assertThat(Seq.le(7, 7)).isTrue();
        assertThat(Seq.gt(5, -5)).isTrue();
        assertThat(Seq.ge(-5, 5)).isFalse();
        assertThat(Seq.lt(Integer.MAX_VALUE, Integer.MIN_VALUE)).isTrue();
        assertThat(Seq.distance(-2, 3)).isEqualTo(5);
        assertThat(Seq.max(-1, 1)).isEqualTo(1);
        assertThat(Seq.min(-1, 1)).isEqualTo(-1);
    }

    @Test
    void window_containsItsStartAndNotItsEnd() {
        assertThat(Seq.in(-10, -10, 20)).isTrue();
        assertThat(Seq.in(9, -10, 20)).isTrue();
        assertThat(Seq.in(10, -10, 20)).isFalse();
        assertThat(Seq.in(-11, -10, 20)).isFalse();
        assertThat(Seq.in(0, 0, 0)).isFalse();
    }
}
