package dev.longshore.fileshare.share;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

class OwnershipTest {
    private static final String ALL = "CapEff:\t000001ffffffffff";

    private static Ownership of(String uid, String capabilities) {
        return Ownership.of(List.of("Name:\tjava", uid, capabilities));
    }

    @Test
    void rootWithItsCapabilities_hasTheHosts_andNobodyElse() {
        assertThat(of("Uid:\t0\t0\t0\t0", ALL)).isEqualTo(Ownership.HOST);
        assertThat(of("Uid:\t1000\t0\t0\t0", ALL)).isEqualTo(Ownership.HOST);
        assertThat(of("Uid:\t0\t0\t0\t0", "CapEff:\t0000000000000000")).isEqualTo(Ownership.OVERRIDE);
        assertThat(of("Uid:\t1000\t1000\t1000\t1000", ALL)).isEqualTo(Ownership.OVERRIDE);
        assertThat(of("Uid:\t0\t1000\t0\t0", ALL)).isEqualTo(Ownership.OVERRIDE);
        assertThat(Ownership.of(List.of())).isEqualTo(Ownership.OVERRIDE);
    }
}
