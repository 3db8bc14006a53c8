package dev.longshore.control;

import java.time.Instant;
import java.util.List;
import java.util.concurrent.CompletionStage;

/** What the control socket asks of the ways through upstream proxies. Thread-safe. */
public interface ProxyControl {
    /** Fails with WRONG_STATE if no guest runs. */
    CompletionStage<Outcome<Route>> explain(RouteQuestion question);

    /** Fails with WRONG_STATE if no guest runs. */
    Outcome<Proxies> inForce();

    /** At most {@code most} of the last records, the oldest first. Fails with WRONG_STATE if no guest runs. */
    Outcome<List<Entry>> log(int most);

    /** A record of what went through the proxy. Immutable; the fields are explained in {@code proxy.proto}. */
    record Entry(
            Instant ended,
            long millis,
            String source,
            String container,
            String kind,
            String method,
            String host,
            int port,
            String named,
            String path,
            String route,
            String remote,
            String rule,
            String auth,
            int status,
            long bytesFromGuest,
            long bytesToGuest,
            String error) {}

    /**
     * A request.
     *
     * @param plain {@code http://}, else it is tunnelled
     * @param host a name or an address without brackets
     * @param port 1..65535
     */
    record RouteQuestion(boolean plain, String host, int port) {}

    /** The answer. Immutable; the fields are explained in {@code proxy.proto}. */
    record Route(String scope, String source, String rule, String script, String because, List<Way> hops) {
        public Route {
            hops = List.copyOf(hops);
        }
    }

    /** One way. Immutable; the fields are those of {@code RouteHop}. */
    record Way(Kind kind, String proxy, String reason) {}

    enum Kind {
        DIRECT,
        PROXY,
        BLOCKED
    }

    /** What counts. Immutable; the fields are explained in {@code proxy.proto}. */
    record Proxies(
            String scope,
            String source,
            String summary,
            String http,
            String https,
            List<String> exclude,
            boolean excludeReversed,
            String script,
            String scriptState,
            List<String> problems) {
        public Proxies {
            exclude = List.copyOf(exclude);
            problems = List.copyOf(problems);
        }
    }
}
