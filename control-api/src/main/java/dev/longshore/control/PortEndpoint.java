package dev.longshore.control;

import dev.longshore.proto.control.v1.Endpoint;
import dev.longshore.proto.control.v1.ExposePortReply;
import dev.longshore.proto.control.v1.ExposePortRequest;
import dev.longshore.proto.control.v1.ListPortsReply;
import dev.longshore.proto.control.v1.ListPortsRequest;
import dev.longshore.proto.control.v1.PortServiceGrpc;
import dev.longshore.proto.control.v1.Protocol;
import dev.longshore.proto.control.v1.ProxyProtocol;
import dev.longshore.proto.control.v1.UnexposePortReply;
import dev.longshore.proto.control.v1.UnexposePortRequest;
import io.grpc.stub.StreamObserver;
import org.jspecify.annotations.Nullable;

/** PortService of {@code ports.proto}. Thread-safe: holds nothing but the ports. */
final class PortEndpoint extends PortServiceGrpc.PortServiceImplBase {
    private static final int MAX_PORT = 65_535;

    private final Ports ports;

    PortEndpoint(Ports ports) {
        this.ports = ports;
    }

    @Override
    public void listPorts(ListPortsRequest request, StreamObserver<ListPortsReply> observer) {
        Answer.with(observer, () -> {
            ListPortsReply.Builder reply = ListPortsReply.newBuilder();
            ports.list().forEach(p -> reply.addPorts(Replies.port(p)));
            return reply.build();
        });
    }

    @Override
    public void exposePort(ExposePortRequest request, StreamObserver<ExposePortReply> observer) {
        Ports.Protocol protocol = protocol(request.getProtocol());
        Endpoint host = request.getHost();
        Endpoint guest = request.getGuest();
        Ports.ProxyProtocol proxy = proxy(request.getProxyProtocol());
        if (protocol == null || proxy == null || !isPort(host, 0) || !isPort(guest, 1)) {
            invalid(observer);
            return;
        }
        Answer.when(
                ports.expose(protocol, host.getAddress(), host.getPort(), guest.getAddress(), guest.getPort(), proxy),
                observer,
                p -> ExposePortReply.newBuilder().setPort(Replies.port(p)).build());
    }

    @Override
    public void unexposePort(UnexposePortRequest request, StreamObserver<UnexposePortReply> observer) {
        Ports.Protocol protocol = protocol(request.getProtocol());
        Endpoint host = request.getHost();
        if (protocol == null || !isPort(host, protocol == Ports.Protocol.UNIX ? 0 : 1)) {
            invalid(observer);
            return;
        }
        Answer.when(
                ports.unexpose(protocol, host.getAddress(), host.getPort()),
                observer,
                done -> UnexposePortReply.getDefaultInstance());
    }

    private static void invalid(StreamObserver<?> observer) {
        Answer.refuse(
                observer, Outcome.Reason.INVALID, "a protocol (tcp, udp, unix) and ports from 1 to 65535 are needed");
    }

    private static boolean isPort(Endpoint endpoint, int least) {
        return endpoint.getPort() >= least && endpoint.getPort() <= MAX_PORT;
    }

    private static Ports.@Nullable ProxyProtocol proxy(ProxyProtocol proxy) {
        return switch (proxy) {
            case PROXY_PROTOCOL_UNSPECIFIED -> Ports.ProxyProtocol.NONE;
            case PROXY_PROTOCOL_V1 -> Ports.ProxyProtocol.V1;
            case PROXY_PROTOCOL_V2 -> Ports.ProxyProtocol.V2;
            case UNRECOGNIZED -> null;
        };
    }

    private static Ports.@Nullable Protocol protocol(Protocol protocol) {
        return switch (protocol) {
            case PROTOCOL_TCP -> Ports.Protocol.TCP;
            case PROTOCOL_UDP -> Ports.Protocol.UDP;
            case PROTOCOL_UNIX -> Ports.Protocol.UNIX;
            case PROTOCOL_UNSPECIFIED, UNRECOGNIZED -> null;
        };
    }
}
