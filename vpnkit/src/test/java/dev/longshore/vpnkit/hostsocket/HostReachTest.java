package dev.longshore.vpnkit.hostsocket;

import static org.assertj.core.api.Assertions.assertThatCode;

import org.junit.jupiter.api.Test;

class HostReachTest {
    /** What it answers depends on the machine; asking a hundred times costs no descriptor and no packet. */
    @Test
    void asking_neverFails() {
        assertThatCode(() -> {
                    for (int i = 0; i < 100; i++) {
                        var _ = HostReach.hasIpv4();
                        var _ = HostReach.hasIpv6();
                    }
                })
                .doesNotThrowAnyException();
    }
}
