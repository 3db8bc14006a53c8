package dev.longshore.control;

import com.google.protobuf.Duration;
import com.google.protobuf.Timestamp;
import dev.longshore.proto.control.v1.DaemonStatus;
import dev.longshore.proto.control.v1.Endpoint;
import dev.longshore.proto.control.v1.EngineStatus;
import dev.longshore.proto.control.v1.Event;
import dev.longshore.proto.control.v1.Flow;
import dev.longshore.proto.control.v1.FlowOpener;
import dev.longshore.proto.control.v1.FlowProtocol;
import dev.longshore.proto.control.v1.GetStatusReply;
import dev.longshore.proto.control.v1.GuestStatus;
import dev.longshore.proto.control.v1.NetworkStatus;
import dev.longshore.proto.control.v1.NoticeEvent;
import dev.longshore.proto.control.v1.Port;
import dev.longshore.proto.control.v1.PortEvent;
import dev.longshore.proto.control.v1.Protocol;
import dev.longshore.proto.control.v1.State;
import dev.longshore.proto.control.v1.StateEvent;
import dev.longshore.proto.control.v1.StepEvent;
import java.time.Instant;

/** Our records as the wire's messages, field by field. */
final class Replies {
    private Replies() {}

    static GetStatusReply status(Status s) {
        return GetStatusReply.newBuilder()
                .setState(state(s.state()))
                .setMessage(s.message())
                .setDockerHost(s.dockerHost())
                .setDaemon(daemon(s.daemon()))
                .setGuest(guest(s.guest()))
                .setEngine(EngineStatus.newBuilder()
                        .setReady(s.engine().ready())
                        .setVersion(s.engine().version())
                        .setApiVersion(s.engine().apiVersion()))
                .setNetwork(network(s.network()))
                .setStartEvent(s.startEvent())
                .build();
    }

    static State state(Status.State state) {
        return switch (state) {
            case STARTING -> State.STATE_STARTING;
            case RUNNING -> State.STATE_RUNNING;
            case STOPPING -> State.STATE_STOPPING;
            case STOPPED -> State.STATE_STOPPED;
            case FAILED -> State.STATE_FAILED;
        };
    }

    private static DaemonStatus daemon(Status.DaemonProcess p) {
        return DaemonStatus.newBuilder()
                .setPid(p.pid())
                .setVersion(p.version())
                .setStarted(timestamp(p.started()))
                .setHome(p.home())
                .setResidentBytes(p.residentBytes())
                .build();
    }

    private static GuestStatus guest(Status.Guest g) {
        GuestStatus.Builder reply = GuestStatus.newBuilder()
                .setKind(g.kind())
                .setPid(g.pid())
                .setCpus(g.cpus())
                .setMemoryMib(g.memoryMiB())
                .setAgentReady(g.agentReady());
        Instant started = g.started();
        if (started != null) {
            reply.setStarted(timestamp(started));
        }
        return reply.build();
    }

    private static NetworkStatus network(Status.Network n) {
        return NetworkStatus.newBuilder()
                .setSubnet(n.subnet())
                .setMoved(n.moved())
                .setGateway(n.gateway())
                .setGuest(n.guest())
                .setDns(n.dns())
                .setHost(n.host())
                .setMtu(n.mtu())
                .setLinkUp(n.linkUp())
                .setDropped(n.dropped())
                .build();
    }

    static Port port(Ports.Port p) {
        return Port.newBuilder()
                .setProtocol(protocol(p.protocol()))
                .setHost(Endpoint.newBuilder().setAddress(p.hostAddress()).setPort(p.hostPort()))
                .setGuest(Endpoint.newBuilder().setAddress(p.guestAddress()).setPort(p.guestPort()))
                .setOwner(p.owner())
                .setActive(p.active())
                .build();
    }

    private static Protocol protocol(Ports.Protocol protocol) {
        return switch (protocol) {
            case TCP -> Protocol.PROTOCOL_TCP;
            case UDP -> Protocol.PROTOCOL_UDP;
        };
    }

    static Event event(Events.Event e) {
        Event.Builder reply = Event.newBuilder().setSequence(e.sequence()).setTime(timestamp(e.time()));
        switch (e.what()) {
            case Events.Step s -> reply.setStep(step(s));
            case Events.StateChanged s ->
                reply.setState(
                        StateEvent.newBuilder().setState(state(s.state())).setText(s.text()));
            case Events.PortChanged p ->
                reply.setPort(PortEvent.newBuilder().setExposed(p.exposed()).setText(p.text()));
            case Events.Notice n -> reply.setNotice(NoticeEvent.newBuilder().setText(n.text()));
        }
        return reply.build();
    }

    private static StepEvent step(Events.Step s) {
        return StepEvent.newBuilder()
                .setName(s.name())
                .setPhase(phase(s.phase()))
                .setText(s.text())
                .setElapsed(Duration.newBuilder()
                        .setSeconds(s.elapsed().toSeconds())
                        .setNanos(s.elapsed().toNanosPart()))
                .build();
    }

    private static StepEvent.Phase phase(Events.Phase phase) {
        return switch (phase) {
            case BEGUN -> StepEvent.Phase.PHASE_BEGUN;
            case PROGRESS -> StepEvent.Phase.PHASE_PROGRESS;
            case DONE -> StepEvent.Phase.PHASE_DONE;
            case FAILED -> StepEvent.Phase.PHASE_FAILED;
        };
    }

    private static Timestamp timestamp(Instant time) {
        return Timestamp.newBuilder()
                .setSeconds(time.getEpochSecond())
                .setNanos(time.getNano())
                .build();
    }

    static Flow flow(Flows.Flow f) {
        Flow.Builder reply = Flow.newBuilder()
                .setProtocol(protocol(f.protocol()))
                .setGuest(end(f.guest()))
                .setRemote(end(f.remote()))
                .setOpener(
                        switch (f.opener()) {
                            case GUEST -> FlowOpener.FLOW_OPENER_GUEST;
                            case HOST -> FlowOpener.FLOW_OPENER_HOST;
                        })
                .setState(f.state())
                .setBytesFromGuest(f.bytesFromGuest())
                .setBytesToGuest(f.bytesToGuest())
                .setRetransmissions(f.retransmissions())
                .setOpened(timestamp(f.opened()))
                .setQueuedToGuest(f.queuedToGuest());
        f.smoothedRttMicros().ifPresent(reply::setSmoothedRttMicros);
        Flows.End host = f.host();
        if (host != null) {
            reply.setHost(end(host));
        }
        String owner = f.owner();
        if (owner != null) {
            reply.setOwner(owner);
        }
        return reply.build();
    }

    private static FlowProtocol protocol(Flows.Protocol protocol) {
        return switch (protocol) {
            case TCP -> FlowProtocol.FLOW_PROTOCOL_TCP;
            case UDP -> FlowProtocol.FLOW_PROTOCOL_UDP;
            case ICMP -> FlowProtocol.FLOW_PROTOCOL_ICMP;
        };
    }

    private static Endpoint end(Flows.End end) {
        return Endpoint.newBuilder()
                .setAddress(end.address())
                .setPort(end.port())
                .build();
    }
}
