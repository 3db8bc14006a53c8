package dev.longshore.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.Timestamp;
import dev.longshore.config.Home;
import dev.longshore.proto.control.v1.DaemonStatus;
import dev.longshore.proto.control.v1.EngineStatus;
import dev.longshore.proto.control.v1.GetStatusReply;
import dev.longshore.proto.control.v1.GuestStatus;
import dev.longshore.proto.control.v1.NetworkStatus;
import dev.longshore.proto.control.v1.State;
import java.nio.file.Path;
import java.time.Instant;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

class StatusTextTest {
    private static final GetStatusReply RUNNING = GetStatusReply.newBuilder()
            .setState(State.STATE_RUNNING)
            .setMessage("ready")
            .setDockerHost("unix:///h/run/docker.sock")
            .setDaemon(DaemonStatus.newBuilder()
                    .setPid(42)
                    .setVersion("1.2.3")
                    .setStarted(Timestamp.newBuilder().setSeconds(1000))
                    .setHome("/h")
                    .setResidentBytes(150L << 20))
            .setGuest(GuestStatus.newBuilder()
                    .setKind("uml")
                    .setPid(43)
                    .setStarted(Timestamp.newBuilder().setSeconds(1003))
                    .setCpus(1)
                    .setMemoryMib(1024)
                    .setAgentReady(true))
            .setEngine(EngineStatus.newBuilder()
                    .setReady(true)
                    .setVersion("26.1.5")
                    .setApiVersion("1.45"))
            .setNetwork(NetworkStatus.newBuilder()
                    .setSubnet("192.168.65.0/24")
                    .setGateway("192.168.65.1")
                    .setGuest("192.168.65.3")
                    .setDns("192.168.65.7")
                    .setHost("192.168.65.254")
                    .setMtu(1500)
                    .setLinkUp(true))
            .build();

    @Test
    void running_asText_isForPeople() {
        assertThat(StatusText.text(RUNNING, Instant.ofEpochSecond(1125))).isEqualTo("""
                        status       running
                        docker host  unix:///h/run/docker.sock
                        daemon       version 1.2.3, pid 42, up 2 min 5 s, 150 MiB resident
                        home         /h
                        guest        uml, pid 43, up 2 min 2 s, 1 CPU, 1024 MiB
                        engine       Docker 26.1.5, API 1.45
                        network      192.168.65.0/24, MTU 1500
                                     guest 192.168.65.3, gateway 192.168.65.1, DNS 192.168.65.7, host 192.168.65.254
                        """);
    }

    @Test
    void running_asJson_hasTheFieldsThatProgramsRead() {
        JsonNode json = JsonMapper.shared().readTree(StatusText.json(RUNNING));

        assertThat(json.path("status").asString()).isEqualTo("running");
        assertThat(json.path("dockerHost").asString()).isEqualTo("unix:///h/run/docker.sock");
        assertThat(json.path("daemon").path("residentBytes").asLong()).isEqualTo(150L << 20);
        assertThat(json.path("guest").path("kind").asString()).isEqualTo("uml");
        assertThat(json.path("guest").path("running").asBoolean()).isTrue();
        assertThat(json.path("engine").path("ready").asBoolean()).isTrue();
        assertThat(json.path("network").path("host").asString()).isEqualTo("192.168.65.254");
    }

    @Test
    void stopped_hasTheSameFieldsWithoutADaemon() {
        GetStatusReply stopped = StatusText.stopped(Home.at(Path.of("/h"), Path.of("/c")));

        JsonNode json = JsonMapper.shared().readTree(StatusText.json(stopped));
        assertThat(json.path("status").asString()).isEqualTo("stopped");
        assertThat(json.path("dockerHost").asString()).isEqualTo("unix:///h/run/docker.sock");
        assertThat(json.path("guest").path("running").asBoolean(true)).isFalse();
        assertThat(json.path("engine").path("ready").asBoolean(true)).isFalse();
        assertThat(json.path("network").path("linkUp").asBoolean(true)).isFalse();
        assertThat(StatusText.text(stopped, Instant.EPOCH)).isEqualTo("""
                        status       stopped
                                     not running
                        docker host  unix:///h/run/docker.sock
                        """);
    }

    @Test
    void states_haveTheirExitStatus() {
        assertThat(StatusText.exitCode(State.STATE_RUNNING)).isZero();
        assertThat(StatusText.exitCode(State.STATE_FAILED)).isEqualTo(1);
        assertThat(StatusText.exitCode(State.STATE_STOPPED)).isEqualTo(3);
        assertThat(StatusText.exitCode(State.STATE_STARTING)).isEqualTo(4);
        assertThat(StatusText.exitCode(State.STATE_STOPPING)).isEqualTo(4);
    }
}
