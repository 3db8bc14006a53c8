package dev.longshore.proxy.choice;

import dev.longshore.config.Settings;
import dev.longshore.proxy.pac.PacFile;
import dev.longshore.proxy.pac.PacResult;
import dev.longshore.proxy.route.Hop;
import dev.longshore.proxy.route.ProxyAddress;
import dev.longshore.proxy.route.ProxyConfig;
import dev.longshore.proxy.route.RouteDecision;
import dev.longshore.proxy.route.RouteExplanation;
import dev.longshore.proxy.route.RouteQuery;
import dev.longshore.proxy.route.Router;
import dev.longshore.proxy.system.SystemProxies;
import dev.longshore.vpnkit.hostsocket.OwnAddresses;
import io.netty.channel.EventLoop;
import io.netty.util.concurrent.Future;
import io.netty.util.concurrent.Promise;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The way of everything that comes from the guest, as the settings and the host's system say it now. Thread-safe: changes are
 * synchronized; who asks reads one volatile reference.
 *
 * <p>In this order: what is our own is direct; then what {@code exclude} has; then the script, or the proxy for the kind of request.
 */
public final class LiveRouter implements Router, AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(LiveRouter.class);
    private static final ProxyConfig UNSET = new ProxyConfig.None("nothing is set yet");

    private final OwnNames own;
    private final SystemProxies system;
    private final Function<ProxyConfig.Location, PacFile> scripts;
    private volatile Now now = new Now(UNSET, null, 0);
    private Settings.@Nullable Proxy proxy; // all of these under the lock
    private Settings.@Nullable ContainersProxy containers;
    private boolean closed;

    /** What counts. Immutable. */
    private record Now(ProxyConfig config, @Nullable PacFile script, int generation) {}

    /**
     * What there is to see.
     *
     * @param config without passwords, as it prints itself
     * @param script its state; empty if none counts
     */
    public record Shown(ProxyConfig config, String script) {}

    /**
     * Follows the system's configuration from now on, once {@link #set} was called.
     *
     * @param own names and addresses of the guest's network
     * @param system taken ownership of
     * @param scripts gets and runs what is at a location; called under a lock, so it must be quick
     */
    public LiveRouter(OwnAddresses own, SystemProxies system, Function<ProxyConfig.Location, PacFile> scripts) {
        this.own = new OwnNames(own);
        this.system = system;
        this.scripts = scripts;
        system.onChange(this::refresh);
    }

    /** From now on these count; requests under way keep their ways. */
    public synchronized void set(Settings.Proxy newProxy, Settings.ContainersProxy newContainers) {
        proxy = newProxy;
        containers = newContainers;
        refresh();
    }

    private synchronized void refresh() {
        Settings.Proxy p = proxy;
        Settings.ContainersProxy c = containers;
        if (closed || p == null || c == null) {
            return;
        }
        ProxyConfig next = SettingsChoice.of(p, c, system::current);
        Now before = now;
        if (next.equals(before.config)) {
            return;
        }
        LOG.info("proxies: {}", ConfigText.line(next));
        next.notes().forEach(n -> LOG.warn("proxies: {}", n));
        PacFile had = before.script;
        boolean sameScript = had != null
                && next instanceof ProxyConfig.Script n
                && before.config instanceof ProxyConfig.Script b
                && n.location().equals(b.location());
        PacFile script = sameScript ? had : next instanceof ProxyConfig.Script s ? scripts.apply(s.location()) : null;
        now = new Now(next, script, before.generation + 1);
        if (had != null && !sameScript) {
            had.close();
        }
    }

    @Override
    public Future<RouteDecision> route(RouteQuery query, EventLoop loop) {
        CompletionStage<RouteExplanation> answer = explain(query);
        Promise<RouteDecision> decided = loop.newPromise();
        answer.whenComplete((e, failure) -> decided.trySuccess(
                failure == null ? e.decision() : RouteDecision.blocked("the way could not be found: " + failure)));
        return decided;
    }

    @Override
    public boolean isOpen() {
        return now.config instanceof ProxyConfig.None;
    }

    @Override
    public int generation() {
        return now.generation;
    }

    /** As {@link #route}, with the reasons; never fails, and completes on any thread. */
    public CompletionStage<RouteExplanation> explain(RouteQuery query) {
        Now counts = now;
        ProxyConfig config = counts.config;
        String ours = own.match(query);
        if (ours != null) {
            return done(config, ours, RouteDecision.direct(ours + " is always direct"));
        }
        return switch (config) {
            case ProxyConfig.None n -> done(n, "", RouteDecision.direct("no proxy is set: " + n.source()));
            case ProxyConfig.Unusable u -> done(u, "", RouteDecision.blocked(u.reason()));
            case ProxyConfig.Fixed f -> fixed(f, query);
            case ProxyConfig.Script s -> script(s, counts.script, query);
        };
    }

    private static CompletionStage<RouteExplanation> done(ProxyConfig config, String rule, RouteDecision decision) {
        return CompletableFuture.completedStage(new RouteExplanation(config.source(), rule, "", decision));
    }

    private static CompletionStage<RouteExplanation> fixed(ProxyConfig.Fixed f, RouteQuery query) {
        String rule = f.exclude().match(query.host(), query.address(), query.port());
        if ((rule != null) != f.only()) {
            String because = rule == null
                    ? query.host() + " is not in " + f.excludeKey() + ", which is reversed"
                    : "excluded by " + f.excludeKey() + ": " + rule;
            return done(f, rule == null ? "" : rule, RouteDecision.direct(because));
        }
        ProxyAddress proxy = query.plain() ? f.plain() : f.tunnel();
        String kind = query.plain() ? "http" : "https";
        if (proxy == null) {
            String missing = f.missing();
            return done(
                    f,
                    "",
                    missing == null
                            ? RouteDecision.direct("no proxy is set for " + kind + ": " + f.source())
                            : RouteDecision.blocked(missing));
        }
        return done(f, "", new RouteDecision(List.of(new Hop.Through(proxy)), f.source()));
    }

    private static CompletionStage<RouteExplanation> script(
            ProxyConfig.Script s, @Nullable PacFile script, RouteQuery query) {
        if (script == null) {
            return done(s, "", RouteDecision.blocked("the script is gone"));
        }
        return script.find(query.plain(), query.host(), query.port()).thenApply(result -> switch (result) {
            case PacResult.Said said -> new RouteExplanation(s.source(), "", said.text(), decision(s, said));
            case PacResult.Failed failed ->
                new RouteExplanation(
                        s.source(),
                        "",
                        "",
                        s.closed() == ProxyConfig.Closed.OPEN
                                ? RouteDecision.direct("without the script " + s.location() + ": " + failed.reason())
                                : RouteDecision.blocked(s.location() + ": " + failed.reason()));
        });
    }

    private static RouteDecision decision(ProxyConfig.Script s, PacResult.Said said) {
        String because = s.location() + " returned " + (said.text().isEmpty() ? "nothing" : said.text());
        if (!said.hops().isEmpty()) {
            return new RouteDecision(said.hops(), because);
        }
        return s.closed() == ProxyConfig.Closed.ALWAYS ? RouteDecision.blocked(because) : RouteDecision.direct(because);
    }

    /** As it is now. */
    public Shown show() {
        Now counts = now;
        PacFile script = counts.script;
        return new Shown(counts.config, script == null ? "" : script.state());
    }

    /** What of the configuration is not as its author meant it; sentences for people. */
    public List<String> notes() {
        Now counts = now;
        List<String> notes = new ArrayList<>(counts.config.notes());
        if (counts.config instanceof ProxyConfig.Unusable u) {
            notes.add("everything is blocked: " + u.reason());
        }
        PacFile script = counts.script;
        if (script != null
                && counts.config instanceof ProxyConfig.Script s
                && !script.problem().isEmpty()) {
            String then = s.closed() == ProxyConfig.Closed.OPEN ? "direct" : "blocked";
            notes.add(s.location() + ": " + script.problem() + " (without a script everything is " + then + ")");
        }
        return notes;
    }

    /** Ends the system's watch and the script; who asks later is answered as before, or blocked. Idempotent. */
    @Override
    public void close() {
        PacFile had;
        synchronized (this) {
            closed = true;
            had = now.script;
        }
        system.close(); // not under the lock, which its thread may wait for
        if (had != null) {
            had.close();
        }
    }
}
