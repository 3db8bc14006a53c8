package dev.longshore.control;

import com.google.protobuf.Duration;
import com.google.protobuf.Timestamp;
import dev.longshore.config.EffectiveSettings;
import dev.longshore.config.SettingTable;
import dev.longshore.proto.control.v1.DaemonStatus;
import dev.longshore.proto.control.v1.Endpoint;
import dev.longshore.proto.control.v1.EngineStatus;
import dev.longshore.proto.control.v1.Event;
import dev.longshore.proto.control.v1.Flow;
import dev.longshore.proto.control.v1.FlowContainer;
import dev.longshore.proto.control.v1.FlowOpener;
import dev.longshore.proto.control.v1.FlowProtocol;
import dev.longshore.proto.control.v1.GetStatusReply;
import dev.longshore.proto.control.v1.GuestStatus;
import dev.longshore.proto.control.v1.NetworkStatus;
import dev.longshore.proto.control.v1.NoticeEvent;
import dev.longshore.proto.control.v1.Port;
import dev.longshore.proto.control.v1.PortEvent;
import dev.longshore.proto.control.v1.Protocol;
import dev.longshore.proto.control.v1.ProxyProtocol;
import dev.longshore.proto.control.v1.Setting;
import dev.longshore.proto.control.v1.SettingEffect;
import dev.longshore.proto.control.v1.SettingSource;
import dev.longshore.proto.control.v1.SettingsEvent;
import dev.longshore.proto.control.v1.SettingsStatus;
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
                .setSettings(SettingsStatus.newBuilder()
                        .addAllProblems(s.settings().problems())
                        .addAllWarnings(s.settings().warnings())
                        .addAllPending(s.settings().pending()))
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
                .addAllPortProblems(n.portProblems())
                .setProxy(n.proxy())
                .addAllProxyProblems(n.proxyProblems())
                .build();
    }

    static Port port(Ports.Port p) {
        return Port.newBuilder()
                .setProtocol(protocol(p.protocol()))
                .setHost(Endpoint.newBuilder().setAddress(p.hostAddress()).setPort(p.hostPort()))
                .setGuest(Endpoint.newBuilder().setAddress(p.guestAddress()).setPort(p.guestPort()))
                .setOwner(p.owner())
                .setActive(p.active())
                .setNote(p.note())
                .setProxyProtocol(
                        switch (p.proxy()) {
                            case NONE -> ProxyProtocol.PROXY_PROTOCOL_UNSPECIFIED;
                            case V1 -> ProxyProtocol.PROXY_PROTOCOL_V1;
                            case V2 -> ProxyProtocol.PROXY_PROTOCOL_V2;
                        })
                .build();
    }

    private static Protocol protocol(Ports.Protocol protocol) {
        return switch (protocol) {
            case TCP -> Protocol.PROTOCOL_TCP;
            case UDP -> Protocol.PROTOCOL_UDP;
            case UNIX -> Protocol.PROTOCOL_UNIX;
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
            case Events.SettingsChanged c ->
                reply.setSettings(
                        SettingsEvent.newBuilder().addAllKeys(c.keys()).setText(c.text()));
            case Events.PolicyDecided p -> reply.setPolicy(PolicyReplies.event(p));
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

    static Timestamp timestamp(Instant time) {
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
                .setQueuedToGuest(f.queuedToGuest())
                .setOfGuestItself(f.ofGuestItself());
        f.smoothedRttMicros().ifPresent(reply::setSmoothedRttMicros);
        Flows.End host = f.host();
        if (host != null) {
            reply.setHost(end(host));
        }
        Flows.Container owner = f.owner();
        if (owner != null) {
            reply.setOwner(owner.name()).setContainer(container(owner));
        }
        return reply.build();
    }

    private static FlowContainer container(Flows.Container c) {
        FlowContainer.Builder reply = FlowContainer.newBuilder()
                .setId(c.id())
                .setName(c.name())
                .setImage(c.image())
                .addAllNetworks(c.networks().stream().sorted().toList());
        if (c.project() != null) {
            reply.setProject(c.project());
        }
        if (c.service() != null) {
            reply.setService(c.service());
        }
        return reply.build();
    }

    /** One of the settings of a view. */
    static Setting setting(SettingsControl.View view, String key) {
        EffectiveSettings.Entry<?> entry = view.settings()
                .entry(SettingTable.find(key).orElseThrow(() -> new IllegalStateException("no setting " + key)));
        Setting.Builder reply = Setting.newBuilder()
                .setKey(key)
                .addAllOtherNames(entry.setting().spellings())
                .setValueJson(entry.shownJson())
                .setDefaultJson(entry.defaultJson())
                .setSource(
                        switch (entry.source()) {
                            case DEFAULT -> SettingSource.SETTING_SOURCE_DEFAULT;
                            case USER -> SettingSource.SETTING_SOURCE_USER;
                            case ADMIN -> SettingSource.SETTING_SOURCE_ADMIN;
                        })
                .setLocked(entry.locked())
                .setEffect(
                        switch (entry.setting().effect()) {
                            case LIVE -> SettingEffect.SETTING_EFFECT_LIVE;
                            case GUEST_RESTART -> SettingEffect.SETTING_EFFECT_GUEST_RESTART;
                            case NONE_YET -> SettingEffect.SETTING_EFFECT_NONE_YET;
                            case UNSUPPORTED -> SettingEffect.SETTING_EFFECT_UNSUPPORTED;
                        })
                .setEffectText(entry.setting().whenItCounts())
                .setDescription(entry.setting().description())
                .setPending(view.pending().contains(key));
        if (entry.locked()) {
            reply.setLockedBy(view.settings().adminFile().toString());
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
