package dev.longshore.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.Timestamp;
import dev.longshore.proto.control.v1.Endpoint;
import dev.longshore.proto.control.v1.Flow;
import dev.longshore.proto.control.v1.FlowChange;
import dev.longshore.proto.control.v1.FlowContainer;
import dev.longshore.proto.control.v1.FlowFilter;
import dev.longshore.proto.control.v1.FlowOpener;
import dev.longshore.proto.control.v1.FlowProtocol;
import dev.longshore.proto.control.v1.WatchFlowsReply;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.time.Instant;
import java.util.List;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Flows as the user reads them, and filters as the user writes them. */
class FlowTextTest {
    private final StringWriter out = new StringWriter();
    private final Terminal terminal = new Terminal(new PrintWriter(out), new PrintWriter(new StringWriter()), false);
    private long now;

    private static Flow.Builder flow(int guestPort, long bytes) {
        return Flow.newBuilder()
                .setProtocol(FlowProtocol.FLOW_PROTOCOL_TCP)
                .setGuest(Endpoint.newBuilder().setAddress("192.168.65.3").setPort(guestPort))
                .setRemote(Endpoint.newBuilder().setAddress("2001:db8::1").setPort(443))
                .setOpener(FlowOpener.FLOW_OPENER_GUEST)
                .setState("ESTABLISHED")
                .setBytesFromGuest(bytes)
                .setBytesToGuest(2 * bytes)
                .setSmoothedRttMicros(250)
                .setOpened(Timestamp.newBuilder().setSeconds(1000));
    }

    @Test
    void table_hasTheFastestThenTheLargestFirst() {
        FlowTableText table = new FlowTableText(Instant.ofEpochSecond(1125));
        table.add(flow(1, 1_234_567).build());
        table.add(flow(2, 9_999_999).setOpener(FlowOpener.FLOW_OPENER_HOST).build());
        table.add(new FlowTableText.Row(flow(3, 5).build(), 100, 2000));

        List<String> lines = table.lines(2);

        assertThat(lines).hasSize(4);
        assertThat(lines.get(1)).contains("192.168.65.3:3", "2.1 kB/s");
        assertThat(lines.get(2))
                .contains(
                        "tcp",
                        "192.168.65.3:2",
                        "< [2001:db8::1]:443",
                        "established",
                        "10 MB",
                        "20 MB",
                        "250 µs",
                        "2 min");
        assertThat(lines.get(3)).isEqualTo("… and 1 more");
    }

    private static Flow.Builder of(String container, Flow.Builder flow) {
        return flow.setOwner(container)
                .setContainer(FlowContainer.newBuilder()
                        .setId("3f2a")
                        .setName(container)
                        .setImage("nginx:1.27")
                        .setProject("shop")
                        .addNetworks("front"));
    }

    @Test
    void container_isNamed_theGuestItselfToo_andLongNamesAreCut() {
        FlowTableText table = new FlowTableText(Instant.ofEpochSecond(1125));
        table.add(of("web", flow(1, 300)).build());
        table.add(flow(2, 200).setOfGuestItself(true).build());
        table.add(of("a-name-of-more-than-eighteen", flow(3, 100)).build());
        table.add(flow(4, 10).build());

        assertThat(table.lines(4).stream().map(l -> l.split(" +", -1)[1]))
                .containsExactly("CONTAINER", "web", "(guest)", "a-name-of-more-th…", "-");
    }

    @Test
    void json_namesTheContainer() {
        JsonNode json = JsonMapper.shared()
                .readTree(FlowTableText.json("", of("web", flow(1, 5)).build()));

        assertThat(json.get("ofGuestItself").asBoolean()).isFalse();
        assertThat(json.get("container").toString())
                .isEqualTo("{\"id\":\"3f2a\",\"name\":\"web\",\"image\":\"nginx:1.27\",\"project\":\"shop\","
                        + "\"networks\":[\"front\"]}");
    }

    @Test
    void bytes_areShort() {
        assertThat(List.of(0L, 999L, 1000L, 9_949L, 9_999L, 999_499L, 999_999L, 1L << 40))
                .extracting(FlowTableText::bytes)
                .containsExactly("0 B", "999 B", "1.0 kB", "9.9 kB", "10 kB", "999 kB", "1.0 MB", "1.1 TB");
    }

    @Test
    void json_isOneLineThatParses() {
        String line = FlowTableText.json("opened", flow(7, 5).build());
        JsonNode json = JsonMapper.shared().readTree(line);

        assertThat(line).doesNotContain("\n");
        assertThat(json.get("change").asString()).isEqualTo("opened");
        assertThat(json.get("remotePort").asInt()).isEqualTo(443);
        assertThat(json.get("opened").asString()).isEqualTo("1970-01-01T00:16:40Z");
        assertThat(json.has("hostAddress")).isFalse();
    }

    private static WatchFlowsReply reply(FlowChange.Kind kind, Flow.Builder flow) {
        return WatchFlowsReply.newBuilder()
                .addChanges(FlowChange.newBuilder().setKind(kind).setFlow(flow))
                .setComplete(true)
                .build();
    }

    @Test
    void watch_notOnATerminal_appendsALineAChange() {
        FlowScreen screen = new FlowScreen(terminal, false, () -> now);
        screen.show(reply(FlowChange.Kind.KIND_OPENED, flow(7, 5)));
        screen.show(reply(FlowChange.Kind.KIND_ENDED, flow(7, 5)));

        assertThat(out.toString().lines())
                .containsExactly(
                        "opened  tcp - 192.168.65.3:7 > [2001:db8::1]:443 established, sent 5, received 10",
                        "ended   tcp - 192.168.65.3:7 > [2001:db8::1]:443 established, sent 5, received 10");
    }

    @Test
    void watch_onATerminal_drawsInPlaceWithRates() {
        FlowScreen screen = new FlowScreen(terminal, true, () -> now);
        screen.show(reply(FlowChange.Kind.KIND_OPENED, flow(7, 1000)));
        now += 2_000_000_000L;
        screen.show(reply(FlowChange.Kind.KIND_CHANGED, flow(7, 3000)));

        assertThat(out.toString()).contains("\u001b[2A\r").contains("3.0 kB/s");
        out.getBuffer().setLength(0);
        screen.show(reply(FlowChange.Kind.KIND_ENDED, flow(7, 3000)));
        assertThat(out.toString()).doesNotContain("192.168.65.3:7");
    }

    @Test
    void filter_isReadFromWords() {
        FlowFilter filter =
                FlowWords.parse(List.of("tcp", "port 443", "HOST", "10.0.0.0/8", "and", "state", "asking", "by host"));

        assertThat(filter.getProtocolsList()).containsExactly(FlowProtocol.FLOW_PROTOCOL_TCP);
        assertThat(filter.getPort()).isEqualTo(443);
        assertThat(filter.getAddress()).isEqualTo("10.0.0.0/8");
        assertThat(filter.getStatesList()).containsExactly("asking");
        assertThat(filter.getOpener()).isEqualTo(FlowOpener.FLOW_OPENER_HOST);
        assertThat(FlowWords.parse(List.of())).isEqualTo(FlowFilter.getDefaultInstance());
        for (String bad : List.of("tpc", "port", "port 0", "port x", "by me")) {
            assertThatThrownBy(() -> FlowWords.parse(List.of(bad))).as(bad).isInstanceOf(CliException.class);
        }
    }
}
