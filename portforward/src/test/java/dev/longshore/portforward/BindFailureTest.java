package dev.longshore.portforward;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.packet.wire.IpAddress;
import dev.longshore.portforward.ExposeResult.Reason;
import dev.longshore.portforward.ExposeResult.Refused;
import io.netty.channel.ChannelException;
import io.netty.channel.unix.Errors;
import java.io.IOException;
import org.junit.jupiter.api.Test;

/** The texts that Docker Desktop's users, and their tools, know. */
class BindFailureTest {
    private static final HostEndpoint TCP_443 = HostEndpoint.tcp(IpAddress.parse("0.0.0.0"), 443);

    @Test
    void addressInUse_tcp_isDockerDesktopsText() {
        assertThat(BindFailure.IN_USE.refusal(TCP_443))
                .isEqualTo(
                        new Refused(
                                Reason.IN_USE,
                                "ports are not available: exposing port TCP 0.0.0.0:443 -> 127.0.0.1:0: listen tcp 0.0.0.0:443: bind: address already in use"));
    }

    @Test
    void addressInUse_udpOnIpv6_hasBrackets() {
        assertThat(BindFailure.IN_USE
                        .refusal(HostEndpoint.udp(IpAddress.parse("::1"), 53))
                        .message())
                .isEqualTo(
                        "ports are not available: exposing port UDP [::1]:53 -> 127.0.0.1:0: listen udp [::1]:53: bind: address already in use");
    }

    @Test
    void permissionDenied_privilegedPort_saysWhatToDo() {
        Refused r = BindFailure.of(13).refusal(TCP_443);
        assertThat(r.reason()).isEqualTo(Reason.FORBIDDEN);
        assertThat(r.message())
                .startsWith(
                        "ports are not available: exposing port TCP 0.0.0.0:443 -> 127.0.0.1:0: listen tcp 0.0.0.0:443: bind: permission denied")
                .contains("net.ipv4.ip_unprivileged_port_start=443");
    }

    @Test
    void permissionDenied_highPort_hasNoHint() {
        assertThat(BindFailure.of(13)
                        .refusal(HostEndpoint.tcp(IpAddress.parse("127.0.0.1"), 8080))
                        .message())
                .endsWith("listen tcp 127.0.0.1:8080: bind: permission denied");
    }

    @Test
    void addressNotAvailable_isGoText() {
        Refused r = BindFailure.of(99).refusal(HostEndpoint.tcp(IpAddress.parse("192.0.2.1"), 80));
        assertThat(r.reason()).isEqualTo(Reason.NO_SUCH_ADDRESS);
        assertThat(r.message()).endsWith("listen tcp 192.0.2.1:80: bind: cannot assign requested address");
    }

    @Test
    void socketThatCouldNotBeMade_errnoIsFoundInTheCause() {
        Throwable thrown = new ChannelException(Errors.newIOException("newSocketStream", -97));
        assertThat(BindFailure.of(thrown).reason()).isEqualTo(Reason.NO_SUCH_ADDRESS);
        assertThat(BindFailure.of(thrown).text()).isEqualTo("socket: address family not supported by protocol");
    }

    @Test
    void otherErrors_keepTheirOwnText() {
        assertThat(BindFailure.of(new IOException("disk on fire")).refusal(TCP_443))
                .isEqualTo(
                        new Refused(
                                Reason.OTHER,
                                "ports are not available: exposing port TCP 0.0.0.0:443 -> 127.0.0.1:0: listen tcp 0.0.0.0:443: disk on fire"));
    }
}
