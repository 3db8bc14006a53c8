package dev.longshore.backend;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.vpnkit.ip.IpPlan;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Where the guest's listeners are on the host. */
class HostNetworkingTest {
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "tcp 0.0.0.0 80    | tcp 127.0.0.1:80 -> 192.168.65.3:80",
                "tcp 127.0.0.1 80  | tcp 127.0.0.1:80 -> 192.168.65.3:80",
                "udp 127.0.0.53 53 | udp 127.0.0.1:53 -> 192.168.65.3:53",
                "tcp :: 80 dual    | tcp 127.0.0.1:80 -> 192.168.65.3:80, tcp [::1]:80 -> [fdc4:f303:9324::3]:80",
                "tcp :: 80         | tcp [::1]:80 -> [fdc4:f303:9324::3]:80",
                "udp ::1 53        | udp [::1]:53 -> [fdc4:f303:9324::3]:53",
                "tcp 172.17.0.1 80 | ''",
                "sctp 0.0.0.0 80   | ''",
                "tcp 0.0.0.0 0     | ''",
                "tcp 0.0.0.0 70000 | ''",
                "tcp 0.0.0.0       | ''",
                "tcp x 80          | ''",
                "''                | ''"
            })
    void listener_isMirroredWhereItCanBeReached(String words, String expected) {
        assertThat(String.join(
                        ", ",
                        HostNetworking.forwards(words, IpPlan.standard()).stream()
                                .map(Object::toString)
                                .toList()))
                .isEqualTo(expected);
    }

    @org.junit.jupiter.api.Test
    void guestWithoutIpv6_isReachedByIpv4() {
        IpPlan plan = IpPlan.standard().withoutIpv6();

        assertThat(HostNetworking.forwards("tcp :: 80 dual", plan))
                .extracting(Object::toString)
                .containsExactly("tcp 127.0.0.1:80 -> 192.168.65.3:80", "tcp [::1]:80 -> 192.168.65.3:80");
        assertThat(HostNetworking.forwards("tcp ::1 80", plan)).isEmpty();
    }
}
