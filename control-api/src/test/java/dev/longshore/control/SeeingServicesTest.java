package dev.longshore.control;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.Duration;
import dev.longshore.proto.control.v1.CaptureReply;
import dev.longshore.proto.control.v1.CaptureRequest;
import dev.longshore.proto.control.v1.CaptureServiceGrpc;
import dev.longshore.proto.control.v1.CapturedFrame;
import dev.longshore.proto.control.v1.FlowChange;
import dev.longshore.proto.control.v1.FlowFilter;
import dev.longshore.proto.control.v1.FlowProtocol;
import dev.longshore.proto.control.v1.FlowServiceGrpc;
import dev.longshore.proto.control.v1.ListFlowsReply;
import dev.longshore.proto.control.v1.ListFlowsRequest;
import dev.longshore.proto.control.v1.WatchFlowsReply;
import dev.longshore.proto.control.v1.WatchFlowsRequest;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.StreamObserver;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;

/** FlowService and CaptureService over a real socket. */
@Timeout(60)
class SeeingServicesTest {
    private final FakeDaemon daemon = new FakeDaemon();

    @RegisterExtension
    private final RunningServer running = new RunningServer(daemon);

    private final BlockingQueue<Object> replies = new LinkedBlockingQueue<>();

    private FlowServiceGrpc.FlowServiceBlockingStub flows() {
        return FlowServiceGrpc.newBlockingStub(running.channel());
    }

    private static ListFlowsRequest with(FlowFilter.Builder filter) {
        return ListFlowsRequest.newBuilder().setFilter(filter).build();
    }

    @Test
    void flows_listed_haveEveryField() {
        daemon.flows = List.of(FakeDaemon.flow(1, 10));

        assertThat(flows().listFlows(ListFlowsRequest.getDefaultInstance()).toString())
                .contains(
                        "FLOW_PROTOCOL_TCP",
                        "address: \"192.168.65.3\"",
                        "port: 443",
                        "address: \"10.0.0.5\"",
                        "FLOW_OPENER_GUEST",
                        "ESTABLISHED",
                        "bytes_from_guest: 10",
                        "bytes_to_guest: 20",
                        "retransmissions: 1",
                        "smoothed_rtt_micros: 250",
                        "seconds: 1001",
                        "queued_to_guest: 3");
    }

    @Test
    void flows_filtered_byEachField() {
        daemon.flows = List.of(FakeDaemon.flow(1, 10), FakeDaemon.flow(2, 10));

        assertThat(found(FlowFilter.newBuilder().setPort(2))).isEqualTo(1);
        assertThat(found(FlowFilter.newBuilder().setPort(443))).isEqualTo(2);
        assertThat(found(FlowFilter.newBuilder().setAddress("192.0.2.0/24"))).isEqualTo(2);
        assertThat(found(FlowFilter.newBuilder().setAddress("192.0.2.2"))).isZero();
        assertThat(found(FlowFilter.newBuilder().setAddress("::/0"))).isZero();
        assertThat(found(FlowFilter.newBuilder().addStates("established"))).isEqualTo(2);
        assertThat(found(FlowFilter.newBuilder().addProtocols(FlowProtocol.FLOW_PROTOCOL_UDP)))
                .isZero();
        for (FlowFilter.Builder bad : List.of(
                FlowFilter.newBuilder().setAddress("example.com"),
                FlowFilter.newBuilder().setAddress("10.0.0.0/33"),
                FlowFilter.newBuilder().setPort(65_536),
                FlowFilter.newBuilder().addProtocolsValue(99))) {
            assertThatThrownBy(() -> found(bad)).hasMessageStartingWith("INVALID_ARGUMENT");
        }
    }

    @Test
    void flows_ofAContainer_nameIt_andAreFoundByNameIdAndProject() {
        String id = "db0123456789" + "0".repeat(52);
        daemon.flows = List.of(
                FakeDaemon.flow(1, new Flows.Container(id, "web", "nginx:1.27", "shop", "front", Set.of("b", "a"))),
                FakeDaemon.flow(2, new Flows.Container("f".repeat(64), "db", "postgres", null, null, Set.of())),
                FakeDaemon.flow(3, 10));

        ListFlowsReply all = flows().listFlows(ListFlowsRequest.getDefaultInstance());
        assertThat(all.getFlows(0).getOwner()).isEqualTo("web");
        assertThat(all.getFlows(0).getContainer().toString())
                .isEqualTo("id: \"" + id + "\"\nname: \"web\"\nimage: \"nginx:1.27\"\nproject: \"shop\"\n"
                        + "service: \"front\"\nnetworks: \"a\"\nnetworks: \"b\"\n");
        assertThat(all.getFlows(1).getContainer().hasProject()).isFalse();
        assertThat(all.getFlows(2).hasOwner()).isFalse();
        assertThat(all.getFlows(2).hasContainer()).isFalse();

        assertThat(found(FlowFilter.newBuilder().setContainer("web"))).isEqualTo(1);
        assertThat(found(FlowFilter.newBuilder().setContainer("db")))
                .as("a name, not a short id")
                .isEqualTo(1);
        assertThat(found(FlowFilter.newBuilder().setContainer("shop"))).isEqualTo(1);
        assertThat(found(FlowFilter.newBuilder().setContainer(id.substring(0, 12))))
                .isEqualTo(1);
        assertThat(found(FlowFilter.newBuilder().setContainer(id))).isEqualTo(1);
        assertThat(found(FlowFilter.newBuilder().setContainer("front"))).isZero();
        assertThat(found(FlowFilter.newBuilder().setContainer("web").setPort(2)))
                .isZero();
    }

    private int found(FlowFilter.Builder filter) {
        return flows().listFlows(with(filter)).getFlowsCount();
    }

    @Test
    void flows_pagedWhileSomeEnd_areEachOnOnePage() {
        daemon.flows = IntStream.rangeClosed(1, 25)
                .mapToObj(i -> FakeDaemon.flow(26 - i, 1))
                .toList();
        List<Integer> ports = new ArrayList<>();
        String token = "";
        do {
            ListFlowsReply page = flows().listFlows(ListFlowsRequest.newBuilder()
                    .setPageSize(10)
                    .setPageToken(token)
                    .build());
            page.getFlowsList().forEach(f -> ports.add(f.getGuest().getPort()));
            token = page.getNextPageToken();
            daemon.flows = Objects.requireNonNull(daemon.flows).stream()
                    .filter(f -> f.guest().port() != 3 && f.guest().port() != 15)
                    .toList();
        } while (!token.isEmpty());

        assertThat(ports)
                .containsExactlyElementsOf(IntStream.rangeClosed(1, 25)
                        .filter(i -> i != 15)
                        .boxed()
                        .toList());
        assertThatThrownBy(() -> flows().listFlows(
                                ListFlowsRequest.newBuilder().setPageToken("x").build()))
                .hasMessageContaining("page_token");
        assertThatThrownBy(() -> flows().listFlows(
                                ListFlowsRequest.newBuilder().setPageSize(5001).build()))
                .hasMessageContaining("page_size");
    }

    @Test
    void flows_withoutAGuest_sayWhy() {
        daemon.flows = null;

        assertThatThrownBy(() -> flows().listFlows(ListFlowsRequest.getDefaultInstance()))
                .hasMessage("FAILED_PRECONDITION: the guest does not run");
        assertThatThrownBy(() -> flows().watchFlows(WatchFlowsRequest.getDefaultInstance())
                        .next())
                .hasMessage("FAILED_PRECONDITION: the guest does not run");
    }

    @Test
    void watcher_isToldOfEachChangeUntilTheGuestStops() {
        daemon.flows = List.of(FakeDaemon.flow(1, 10), FakeDaemon.flow(2, 10));
        Iterator<WatchFlowsReply> watch = flows().watchFlows(WatchFlowsRequest.newBuilder()
                .setInterval(Duration.newBuilder().setNanos(100_000_000))
                .build());
        assertThat(kinds(watch)).containsExactly("1 KIND_OPENED", "2 KIND_OPENED");

        daemon.flows = List.of(FakeDaemon.flow(2, 11), FakeDaemon.flow(3, 1));
        assertThat(kinds(watch)).containsExactly("2 KIND_CHANGED", "3 KIND_OPENED", "1 KIND_ENDED");

        daemon.flows = null;
        while (watch.hasNext()) {
            assertThat(watch.next().getChangesList()).isEmpty();
        }
    }

    /** Of the next interval that has any. */
    private static List<String> kinds(Iterator<WatchFlowsReply> watch) {
        List<String> kinds = new ArrayList<>();
        while (kinds.isEmpty()) {
            WatchFlowsReply reply;
            do {
                reply = watch.next();
                for (FlowChange c : reply.getChangesList()) {
                    kinds.add(c.getFlow().getGuest().getPort() + " " + c.getKind());
                }
            } while (!reply.getComplete());
        }
        return kinds;
    }

    @Test
    void manyFlows_watched_comeInSeveralRepliesOfOneInterval() {
        daemon.flows = IntStream.rangeClosed(1, 1200)
                .mapToObj(i -> FakeDaemon.flow(i, 1))
                .toList();
        Iterator<WatchFlowsReply> watch = flows().watchFlows(WatchFlowsRequest.getDefaultInstance());

        assertThat(watch.next().getChangesCount()).isEqualTo(500);
        assertThat(watch.next().getComplete()).isFalse();
        WatchFlowsReply last = watch.next();
        assertThat(last.getChangesCount()).isEqualTo(200);
        assertThat(last.getComplete()).isTrue();
    }

    @Test
    void watchers_tooMany_areRefused() {
        for (int i = 0; i < 16; i++) {
            assertThat(flows().watchFlows(WatchFlowsRequest.getDefaultInstance())
                            .next()
                            .getComplete())
                    .isTrue();
        }

        assertThatThrownBy(() -> flows().watchFlows(WatchFlowsRequest.getDefaultInstance())
                        .next())
                .hasMessageStartingWith("RESOURCE_EXHAUSTED");
    }

    private StreamObserver<CaptureRequest> capture() {
        return CaptureServiceGrpc.newStub(running.channel()).capture(new StreamObserver<>() {
            @Override
            public void onNext(CaptureReply reply) {
                replies.add(reply);
            }

            @Override
            public void onError(Throwable error) {
                replies.add(error);
            }

            @Override
            public void onCompleted() {
                replies.add("completed");
            }
        });
    }

    private CaptureReply reply() throws InterruptedException {
        return (CaptureReply) Objects.requireNonNull(replies.poll(20, TimeUnit.SECONDS));
    }

    @Test
    void capture_endedByTheCaller_givesWhatIsLeftAndTheCounts() throws Exception {
        StreamObserver<CaptureRequest> requests = capture();
        requests.onNext(CaptureRequest.newBuilder().setFilter("tcp").setCount(7).build());
        assertThat(reply().hasStarted()).isTrue();
        assertThat(daemon.calls).containsExactly("capture 'tcp' 262144 7");
        FakeDaemon.FakeSession session = Objects.requireNonNull(daemon.session);

        session.frame(8);
        CapturedFrame frame = reply().getFrames().getFrames(0);
        assertThat(frame.getTimeNanos()).isEqualTo(8);
        assertThat(frame.getFromGuest()).isTrue();
        assertThat(frame.getLength()).isEqualTo(60);
        assertThat(frame.getData().byteAt(0)).isEqualTo((byte) 8);
        requests.onCompleted();

        CaptureReply end = reply();
        assertThat(end.getEnd().getCaptured()).isEqualTo(1);
        assertThat(end.getEnd().getDropped()).isEqualTo(5);
        assertThat(replies.poll(20, TimeUnit.SECONDS)).isEqualTo("completed");
        assertThat(session.ended).isTrue();
    }

    @Test
    void capture_ofABadFilter_isRefusedWithTheReason() throws Exception {
        capture().onNext(CaptureRequest.newBuilder().setFilter("bad").build());

        assertThat(replies.poll(20, TimeUnit.SECONDS)).isInstanceOfSatisfying(StatusRuntimeException.class, e -> {
            assertThat(e.getStatus().getCode()).isEqualTo(Status.Code.INVALID_ARGUMENT);
            assertThat(e.getStatus().getDescription()).isEqualTo("the filter: bad");
        });
    }

    @Test
    void capture_withoutOrWithTwoFirstMessages_isRefused() throws Exception {
        capture().onCompleted();
        assertThat(replies.poll(20, TimeUnit.SECONDS)).isInstanceOf(StatusRuntimeException.class);
        StreamObserver<CaptureRequest> twice = capture();
        twice.onNext(CaptureRequest.getDefaultInstance());
        assertThat(reply().hasStarted()).isTrue();

        twice.onNext(CaptureRequest.getDefaultInstance());

        assertThat(replies.poll(20, TimeUnit.SECONDS)).isInstanceOf(StatusRuntimeException.class);
        assertThat(Objects.requireNonNull(daemon.session).ended).isTrue();
    }
}
