package dev.longshore.portforward;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.packet.wire.IpAddress;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PublishRequestTest {
    @Test
    void goodLines_areUnderstood() {
        assertThat(PublishRequest.parse("EXPOSE tcp 0.0.0.0 8080 172.17.0.2 80").forward())
                .isEqualTo(new Forward(
                        HostEndpoint.tcp(IpAddress.parse("0.0.0.0"), 8080), IpAddress.parse("172.17.0.2"), 80));
        assertThat(PublishRequest.parse("EXPOSE udp :: 0 fd00::2 65535").forward())
                .isEqualTo(new Forward(HostEndpoint.udp(IpAddress.parse("::"), 0), IpAddress.parse("fd00::2"), 65535));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                " ",
                "EXPOSE",
                "expose tcp 0.0.0.0 8080 172.17.0.2 80",
                "EXPOSE TCP 0.0.0.0 8080 172.17.0.2 80",
                "EXPOSE sctp 0.0.0.0 8080 172.17.0.2 80",
                "EXPOSE unix 0.0.0.0 8080 172.17.0.2 80",
                "EXPOSE tcp 0.0.0.0 8080 172.17.0.2",
                "EXPOSE tcp 0.0.0.0 8080 172.17.0.2 80 ",
                "EXPOSE tcp 0.0.0.0 8080 172.17.0.2 80\r",
                "EXPOSE tcp  0.0.0.0 8080 172.17.0.2 80",
                "EXPOSE tcp 0.0.0.0 8080 172.17.0.2 80 more",
                "EXPOSE tcp localhost 8080 172.17.0.2 80",
                "EXPOSE tcp [::] 8080 172.17.0.2 80",
                "EXPOSE tcp ::1%lo 8080 172.17.0.2 80",
                "EXPOSE tcp 1.2.3 8080 172.17.0.2 80",
                "EXPOSE tcp 1.2.3.256 8080 172.17.0.2 80",
                "EXPOSE tcp : 8080 172.17.0.2 80",
                "EXPOSE tcp 0.0.0.0 -1 172.17.0.2 80",
                "EXPOSE tcp 0.0.0.0 65536 172.17.0.2 80",
                "EXPOSE tcp 0.0.0.0 080 172.17.0.2 80",
                "EXPOSE tcp 0.0.0.0 8080 172.17.0.2 0",
                "EXPOSE tcp 0.0.0.0 99999999999 172.17.0.2 80",
                "EXPOSE tcp 0.0.0.0 \u0664 172.17.0.2 80",
            })
    void badLines_areRefusedWithoutAnyOtherException(String line) {
        assertThatThrownBy(() -> PublishRequest.parse(line)).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void randomChangesOfAGoodLine_neverThrowAnythingElse() {
        long seed = 20260101;
        Random random = new Random(seed);
        for (int i = 0; i < 20_000; i++) {
            char[] line = "EXPOSE tcp 0.0.0.0 8080 172.17.0.2 80".toCharArray();
            for (int n = random.nextInt(4); n >= 0; n--) {
                line[random.nextInt(line.length)] = (char) random.nextInt(256);
            }
            try {
                PublishRequest.parse(new String(line));
            } catch (IllegalArgumentException expected) {
                assertThat(expected).as("seed %d, step %d", seed, i).hasMessageNotContaining("null");
            }
        }
    }
}
