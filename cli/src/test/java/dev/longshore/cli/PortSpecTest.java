package dev.longshore.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.proto.control.v1.Endpoint;
import dev.longshore.proto.control.v1.Protocol;
import org.junit.jupiter.api.Test;

class PortSpecTest {
    @Test
    void forms_parsed_haveTheirParts() {
        assertThat(PortSpec.parse("8080:80")).isEqualTo(spec(Protocol.PROTOCOL_TCP, "", 8080, "", 80));
        assertThat(PortSpec.parse("unix:/run/a:b.sock:172.17.0.2:80"))
                .isEqualTo(spec(Protocol.PROTOCOL_UNIX, "/run/a:b.sock", 0, "172.17.0.2", 80));
        assertThat(PortSpec.parse("unix:/run/db.sock:80"))
                .isEqualTo(spec(Protocol.PROTOCOL_UNIX, "/run/db.sock", 0, "", 80));
        assertThat(PortSpec.parse("unix:/run/db.sock"))
                .isEqualTo(spec(Protocol.PROTOCOL_UNIX, "/run/db.sock", 0, "", 0));
        assertThat(PortSpec.parse("8080")).isEqualTo(spec(Protocol.PROTOCOL_TCP, "", 8080, "", 0));
        assertThat(PortSpec.parse("0:53/udp")).isEqualTo(spec(Protocol.PROTOCOL_UDP, "", 0, "", 53));
        assertThat(PortSpec.parse("127.0.0.1:8080:172.17.0.2:80/tcp"))
                .isEqualTo(spec(Protocol.PROTOCOL_TCP, "127.0.0.1", 8080, "172.17.0.2", 80));
        assertThat(PortSpec.parse("[::1]:8080:[fd00::2]:80"))
                .isEqualTo(spec(Protocol.PROTOCOL_TCP, "::1", 8080, "fd00::2", 80));
    }

    @Test
    void anythingElse_parsed_isRefusedWithTheForm() {
        for (String text :
                new String[] {"", "a", "80:", ":80", "1:2:3", "::1:80:80", "80/sctp", "-1", "1.2.3.4", "80:80 "}) {
            assertThatThrownBy(() -> PortSpec.parse(text))
                    .as(text)
                    .isInstanceOf(CliException.class)
                    .hasMessageContaining("[HOST-IP:]HOST-PORT");
        }
        assertThatThrownBy(() -> PortSpec.parse("65536:80")).hasMessageContaining("65535");
    }

    @Test
    void endpoints_written_haveBracketsAroundIpv6() {
        assertThat(PortSpec.text(PortSpec.parse("[::1]:80").host())).isEqualTo("[::1]:80");
        assertThat(PortSpec.text(PortSpec.parse("0.0.0.0:80").host())).isEqualTo("0.0.0.0:80");
    }

    private static PortSpec spec(Protocol protocol, String host, int hostPort, String guest, int guestPort) {
        return new PortSpec(
                protocol,
                Endpoint.newBuilder().setAddress(host).setPort(hostPort).build(),
                Endpoint.newBuilder().setAddress(guest).setPort(guestPort).build());
    }
}
