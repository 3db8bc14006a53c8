package dev.longshore.control;

import dev.longshore.proto.control.v1.ExplainRouteReply;
import dev.longshore.proto.control.v1.ExplainRouteRequest;
import dev.longshore.proto.control.v1.GetProxiesReply;
import dev.longshore.proto.control.v1.GetProxiesRequest;
import dev.longshore.proto.control.v1.GetProxyLogReply;
import dev.longshore.proto.control.v1.GetProxyLogRequest;
import dev.longshore.proto.control.v1.ProxyLogEntry;
import dev.longshore.proto.control.v1.ProxyServiceGrpc;
import dev.longshore.proto.control.v1.RouteHop;
import dev.longshore.proto.control.v1.RouteHopKind;
import io.grpc.stub.StreamObserver;
import java.util.concurrent.CompletableFuture;

/** ProxyService of {@code proxy.proto}. Thread-safe: holds nothing but the proxies. */
final class ProxyEndpoint extends ProxyServiceGrpc.ProxyServiceImplBase {
    private static final int MAX_HOST_CHARS = 255;
    private static final int MAX_PORT = 65_535;
    private static final int MAX_ENTRIES = 1000;

    private final ProxyControl proxies;

    ProxyEndpoint(ProxyControl proxies) {
        this.proxies = proxies;
    }

    @Override
    public void explainRoute(ExplainRouteRequest request, StreamObserver<ExplainRouteReply> observer) {
        String host = request.getHost().strip();
        if (host.isEmpty() || host.length() > MAX_HOST_CHARS) {
            Answer.refuse(observer, Outcome.Reason.INVALID, "host is a name or an address");
            return;
        }
        if (request.getPort() < 1 || request.getPort() > MAX_PORT) {
            Answer.refuse(observer, Outcome.Reason.INVALID, "port is 1 to 65535");
            return;
        }
        Answer.when(
                proxies.explain(new ProxyControl.RouteQuestion(request.getPlain(), host, request.getPort())),
                observer,
                ProxyEndpoint::reply);
    }

    private static ExplainRouteReply reply(ProxyControl.Route e) {
        ExplainRouteReply.Builder reply = ExplainRouteReply.newBuilder()
                .setScope(e.scope())
                .setSource(e.source())
                .setRule(e.rule())
                .setScript(e.script())
                .setBecause(e.because());
        for (ProxyControl.Way hop : e.hops()) {
            reply.addHops(RouteHop.newBuilder()
                    .setKind(kind(hop.kind()))
                    .setProxy(hop.proxy())
                    .setReason(hop.reason()));
        }
        return reply.build();
    }

    private static RouteHopKind kind(ProxyControl.Kind kind) {
        return switch (kind) {
            case DIRECT -> RouteHopKind.ROUTE_HOP_KIND_DIRECT;
            case PROXY -> RouteHopKind.ROUTE_HOP_KIND_PROXY;
            case BLOCKED -> RouteHopKind.ROUTE_HOP_KIND_BLOCKED;
        };
    }

    @Override
    public void getProxies(GetProxiesRequest request, StreamObserver<GetProxiesReply> observer) {
        Answer.when(CompletableFuture.completedStage(proxies.inForce()), observer, v -> GetProxiesReply.newBuilder()
                .setScope(v.scope())
                .setSource(v.source())
                .setSummary(v.summary())
                .setHttp(v.http())
                .setHttps(v.https())
                .addAllExclude(v.exclude())
                .setExcludeReversed(v.excludeReversed())
                .setScript(v.script())
                .setScriptState(v.scriptState())
                .addAllProblems(v.problems())
                .build());
    }

    @Override
    public void getProxyLog(GetProxyLogRequest request, StreamObserver<GetProxyLogReply> observer) {
        int most = request.getMost() == 0 ? MAX_ENTRIES : request.getMost();
        if (most < 0 || most > MAX_ENTRIES) {
            Answer.refuse(observer, Outcome.Reason.INVALID, "most is 1 to " + MAX_ENTRIES);
            return;
        }
        Answer.when(CompletableFuture.completedStage(proxies.log(most)), observer, entries -> {
            GetProxyLogReply.Builder reply = GetProxyLogReply.newBuilder();
            entries.forEach(e -> reply.addEntries(entry(e)));
            return reply.build();
        });
    }

    private static ProxyLogEntry entry(ProxyControl.Entry e) {
        return ProxyLogEntry.newBuilder()
                .setEnded(Replies.timestamp(e.ended()))
                .setMillis(e.millis())
                .setSource(e.source())
                .setContainer(e.container())
                .setKind(e.kind())
                .setMethod(e.method())
                .setHost(e.host())
                .setPort(e.port())
                .setNamed(e.named())
                .setPath(e.path())
                .setRoute(e.route())
                .setRule(e.rule())
                .setRemote(e.remote())
                .setAuth(e.auth())
                .setStatus(e.status())
                .setBytesFromGuest(e.bytesFromGuest())
                .setBytesToGuest(e.bytesToGuest())
                .setError(e.error())
                .build();
    }
}
