package dev.longshore.portforward;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.config.PortBinding;
import dev.longshore.config.Settings;
import dev.longshore.packet.wire.IpAddress;
import java.net.InetAddress;
import java.util.Arrays;
import java.util.List;
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
        assertThat(BindPolicy.of(binding).place(HostEndpoint.tcp(IpAddress.parse(wish), 80)))
                .isEqualTo(new BindPolicy.Bound(HostEndpoint.tcp(IpAddress.parse(bound), 80)));
    }

    @ParameterizedTest
    @CsvSource({
        "DEFAULT_PORT_BINDING,       0.0.0.0,   ::,       ::",
        "LOCAL_ONLY_PORT_BINDING,    0.0.0.0,   fd00::5,  ::1",
        "DEFAULT_LOCAL_PORT_BINDING, 127.0.0.1, 0.0.0.0,  127.0.0.1",
        "DEFAULT_LOCAL_PORT_BINDING, 127.0.0.1, ::,       ''",
        "DEFAULT_PORT_BINDING,       127.0.0.1, 10.0.0.5, ''",
    })
    void boundFor_isWhatListens(PortBinding binding, String allowed, String wish, String bound) {
        BindPolicy policy = BindPolicy.of(new Settings.Ports(binding, List.of(InetAddress.ofLiteral(allowed))));
        assertThat(policy.boundFor(InetAddress.ofLiteral(wish)).orElse("")).isEqualTo(bound);
        assertThat(policy.isOpen()).isEqualTo(binding == PortBinding.DEFAULT_PORT_BINDING && allowed.equals("0.0.0.0"));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "DEFAULT_PORT_BINDING       | 0.0.0.0         | 10.0.0.5  | Bound",
                "DEFAULT_PORT_BINDING       | 0.0.0.0         | ::        | Bound",
                "DEFAULT_PORT_BINDING       | 127.0.0.1       | 127.0.0.1 | Bound",
                "DEFAULT_PORT_BINDING       | 127.0.0.1       | 127.0.0.2 | NotAllowed",
                "DEFAULT_PORT_BINDING       | 127.0.0.1       | 0.0.0.0   | NotAllowed",
                "DEFAULT_PORT_BINDING       | 127.0.0.1       | ::        | NotAllowed",
                "DEFAULT_PORT_BINDING       | 127.0.0.1       | ::1       | NotAllowed",
                "DEFAULT_LOCAL_PORT_BINDING | 127.0.0.1       | 0.0.0.0   | Bound",
                "DEFAULT_LOCAL_PORT_BINDING | 127.0.0.1       | ::        | Nowhere",
                "DEFAULT_LOCAL_PORT_BINDING | 127.0.0.1,::1   | ::        | Bound",
                "LOCAL_ONLY_PORT_BINDING    | 127.0.0.1       | 10.0.0.5  | Bound",
                "LOCAL_ONLY_PORT_BINDING    | 10.0.0.5        | 10.0.0.5  | NotAllowed",
                "DEFAULT_PORT_BINDING       | 10.0.0.5,fd00::1| fd00::1   | Bound",
            })
    void wish_isBoundOnlyWhereTheAddressIsAllowed(PortBinding binding, String allowed, String wish, String outcome) {
        List<InetAddress> addresses = Arrays.stream(allowed.split(",", -1))
                .map(InetAddress::ofLiteral)
                .toList();

        BindPolicy policy = BindPolicy.of(new Settings.Ports(binding, addresses));

        assertThat(policy.place(HostEndpoint.tcp(IpAddress.parse(wish), 80))
                        .getClass()
                        .getSimpleName())
                .isEqualTo(outcome);
    }
}
