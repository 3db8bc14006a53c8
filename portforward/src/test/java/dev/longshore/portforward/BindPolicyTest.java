package dev.longshore.portforward;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.config.PortBinding;
import dev.longshore.packet.wire.IpAddress;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class BindPolicyTest {
    @ParameterizedTest
    @CsvSource({
        "DEFAULT_PORT_BINDING,       0.0.0.0,   0.0.0.0",
        "DEFAULT_PORT_BINDING,       ::,        ::",
        "DEFAULT_PORT_BINDING,       10.0.0.5,  10.0.0.5",
        "DEFAULT_LOCAL_PORT_BINDING, 0.0.0.0,   127.0.0.1",
        "DEFAULT_LOCAL_PORT_BINDING, ::,        ::1",
        "DEFAULT_LOCAL_PORT_BINDING, 10.0.0.5,  10.0.0.5",
        "LOCAL_ONLY_PORT_BINDING,    0.0.0.0,   127.0.0.1",
        "LOCAL_ONLY_PORT_BINDING,    10.0.0.5,  127.0.0.1",
        "LOCAL_ONLY_PORT_BINDING,    fd00::5,   ::1",
        "LOCAL_ONLY_PORT_BINDING,    127.0.0.2, 127.0.0.2",
    })
    void wish_isBoundWhereTheSettingAllows(PortBinding binding, String wish, String bound) {
        assertThat(new BindPolicy(binding).apply(HostEndpoint.tcp(IpAddress.parse(wish), 80)))
                .isEqualTo(HostEndpoint.tcp(IpAddress.parse(bound), 80));
    }
}
