package dev.longshore.backend;

import dev.longshore.control.Outcome;
import dev.longshore.control.ProxyControl;
import dev.longshore.packet.wire.IpAddress;
import dev.longshore.proxy.audit.AuditRecord;
import dev.longshore.proxy.auth.ProxyState;
import dev.longshore.proxy.choice.ConfigText;
import dev.longshore.proxy.choice.LiveRouter;
import dev.longshore.proxy.route.Hop;
import dev.longshore.proxy.route.ProxyAddress;
import dev.longshore.proxy.route.ProxyConfig;
import dev.longshore.proxy.route.RouteExplanation;
import dev.longshore.proxy.route.RouteQuery;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.CompletionStage;
import java.util.function.IntFunction;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** One network's ways through proxies as observers see them. Thread-safe: holds nothing but what is. */
final class ProxyView implements ProxyControl {
    private static final String SCOPE = "containers and the Engine";

    private final LiveRouter router;
    private final Supplier<List<ProxyState>> states;
    private final IntFunction<List<AuditRecord>> audit;

    /**
     * @param states how it stands with each proxy that has been used; from any thread
     * @param audit at most so many of the last records; from any thread
     */
    ProxyView(LiveRouter router, Supplier<List<ProxyState>> states, IntFunction<List<AuditRecord>> audit) {
        this.audit = audit;
        this.router = router;
        this.states = states;
    }

    @Override
    public CompletionStage<Outcome<Route>> explain(RouteQuestion question) {
        String lower = question.host().toLowerCase(Locale.ROOT);
        String bare = lower.startsWith("[") && lower.endsWith("]") ? lower.substring(1, lower.length() - 1) : lower;
        String host = bare.endsWith(".") ? bare.substring(0, bare.length() - 1) : bare;
        IpAddress address;
        try {
            address = IpAddress.parse(host);
        } catch (IllegalArgumentException e) {
            address = null;
        }
        return router.explain(new RouteQuery(question.plain(), host, question.port(), address))
                .thenApply(e -> new Outcome.Done<>(explained(e)));
    }

    private static Route explained(RouteExplanation e) {
        return new Route(
                SCOPE,
                e.source(),
                e.rule(),
                e.script(),
                e.decision().because(),
                e.decision().hops().stream().map(ProxyView::way).toList());
    }

    private static Way way(Hop hop) {
        return switch (hop) {
            case Hop.Direct _ -> new Way(Kind.DIRECT, "", "");
            case Hop.Through t -> new Way(Kind.PROXY, t.proxy().toString(), "");
            case Hop.Blocked b -> new Way(Kind.BLOCKED, "", b.reason());
        };
    }

    @Override
    public Outcome<Proxies> inForce() {
        LiveRouter.Shown shown = router.show();
        ProxyConfig config = shown.config();
        ProxyConfig.@Nullable Fixed fixed = config instanceof ProxyConfig.Fixed f ? f : null;
        return new Outcome.Done<>(new Proxies(
                SCOPE,
                config.source(),
                ConfigText.line(config),
                fixed == null ? "" : text(fixed.plain()),
                fixed == null ? "" : text(fixed.tunnel()),
                fixed == null ? List.of() : fixed.exclude().entries(),
                fixed != null && fixed.only(),
                config instanceof ProxyConfig.Script s ? s.location().toString() : "",
                shown.script(),
                problems()));
    }

    @Override
    public Outcome<List<Entry>> log(int most) {
        return new Outcome.Done<>(
                audit.apply(most).stream().map(ProxyView::entry).toList());
    }

    private static Entry entry(AuditRecord r) {
        return new Entry(
                r.ended(),
                r.millis(),
                r.source() == null ? "" : r.source().toString(),
                r.container(),
                r.kindWord(),
                r.method(),
                r.host(),
                r.port(),
                r.namedWord(),
                r.path(),
                r.route(),
                r.remote(),
                r.rule(),
                r.auth(),
                r.status(),
                r.bytesFromGuest(),
                r.bytesToGuest(),
                r.error());
    }

    private static String text(@Nullable ProxyAddress proxy) {
        return proxy == null ? "" : proxy.toString();
    }

    /** On one line. */
    String summary() {
        return ConfigText.line(router.show().config());
    }

    /** Sentences for people. */
    List<String> problems() {
        List<String> all = new ArrayList<>(router.notes());
        for (ProxyState s : states.get()) {
            if (s.kind() == ProxyState.Kind.NEEDS_CREDENTIALS) {
                all.add("the upstream proxy " + s.proxy() + " needs credentials: " + s.text());
            }
        }
        return all;
    }
}
