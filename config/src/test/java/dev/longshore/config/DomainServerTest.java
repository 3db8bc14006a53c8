package dev.longshore.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class DomainServerTest {
    @ParameterizedTest
    @CsvSource({
        "corp.example=10.0.0.53, corp.example=10.0.0.53",
        "Corp.Example.=10.0.0.53:53, corp.example=10.0.0.53",
        "*.lan=10.0.0.53:5353, lan=10.0.0.53:5353",
        ".lan = 10.0.0.1, lan=10.0.0.1",
        ".=127.0.0.1:5300, .=127.0.0.1:5300",
        "168.192.in-addr.arpa=fd00::53, 168.192.in-addr.arpa=fd00:0:0:0:0:0:0:53",
        "lan=[fd00::53]:5353, lan=[fd00:0:0:0:0:0:0:53]:5353",
        "lan=[fd00::53], lan=fd00:0:0:0:0:0:0:53",
    })
    void text_isReadAndWritten(String text, String written) {
        assertThat(DomainServer.parse(text)).hasToString(written);
        assertThat(DomainServer.parse(written)).isEqualTo(DomainServer.parse(text));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "lan",
                "lan=",
                "=10.0.0.1",
                "a b=10.0.0.1",
                "lan=dns.example",
                "lan=10.0.0.300",
                "lan=10.0.0.1:0",
                "lan=10.0.0.1:65536",
                "lan=fd00::53:x",
                "a..b=10.0.0.1",
                "lan=fe80::1%nosuchif0"
            })
    void nonsense_isRefused(String text) {
        assertThatIllegalArgumentException().isThrownBy(() -> DomainServer.parse(text));
    }
}
