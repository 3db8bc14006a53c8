package dev.longshore.cli;

import dev.longshore.proto.control.v1.ExplainRouteReply;
import dev.longshore.proto.control.v1.ExplainRouteRequest;
import dev.longshore.proto.control.v1.GetProxiesReply;
import dev.longshore.proto.control.v1.PolicyExplanation;
import dev.longshore.proto.control.v1.RouteHop;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import tools.jackson.databind.SerializationFeature;
import tools.jackson.databind.json.JsonMapper;

/** Ways through proxies as text for people, and as JSON for programs. */
final class ProxyText {
    private static final JsonMapper MAPPER =
            JsonMapper.builder().enable(SerializationFeature.INDENT_OUTPUT).build();

    private ProxyText() {}

    static List<String> lines(GetProxiesReply p) {
        List<String> lines = new ArrayList<>();
        line(lines, "for", p.getScope());
        line(lines, "from", p.getSource());
        if (p.getScript().isEmpty() && p.getHttp().isEmpty() && p.getHttps().isEmpty()) {
            line(lines, "way", p.getSummary());
        }
        line(lines, "http", p.getHttp());
        line(lines, "https", p.getHttps());
        line(lines, p.getExcludeReversed() ? "only for" : "exclude", String.join(", ", p.getExcludeList()));
        line(lines, "script", p.getScript());
        line(lines, "", p.getScriptState());
        p.getProblemsList().forEach(problem -> line(lines, "problem", problem));
        return lines;
    }

    private static void line(List<String> lines, String name, String value) {
        if (!value.isEmpty()) {
            lines.add(String.format(Locale.ROOT, "%-10s%s", name, value));
        }
    }

    static String json(GetProxiesReply p) {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("scope", p.getScope());
        json.put("source", p.getSource());
        json.put("summary", p.getSummary());
        json.put("http", p.getHttp());
        json.put("https", p.getHttps());
        json.put("exclude", List.copyOf(p.getExcludeList()));
        json.put("excludeReversed", p.getExcludeReversed());
        json.put("script", p.getScript());
        json.put("scriptState", p.getScriptState());
        json.put("problems", List.copyOf(p.getProblemsList()));
        return MAPPER.writeValueAsString(json);
    }

    static List<String> lines(ExplainRouteRequest asked, ExplainRouteReply r, List<PolicyExplanation> policy) {
        List<String> lines = new ArrayList<>();
        lines.add(text(asked) + ": "
                + r.getHopsList().stream().map(ProxyText::text).collect(Collectors.joining(", then ")));
        line(lines, "  for", r.getScope());
        line(lines, "  from", r.getSource());
        line(lines, "  because", r.getBecause());
        line(lines, "  rule", r.getRule());
        line(lines, "  script", r.getScript());
        for (String verdict : PolicyText.lines(policy)) {
            lines.add("  policy  " + verdict);
        }
        return lines;
    }

    private static String text(ExplainRouteRequest asked) {
        String host = asked.getHost().indexOf(':') >= 0 ? "[" + asked.getHost() + "]" : asked.getHost();
        return (asked.getPlain() ? "http://" : "tunnel to ") + host + ":" + asked.getPort();
    }

    private static String text(RouteHop hop) {
        return switch (hop.getKind()) {
            case ROUTE_HOP_KIND_DIRECT -> "direct";
            case ROUTE_HOP_KIND_PROXY -> hop.getProxy();
            case ROUTE_HOP_KIND_BLOCKED -> "blocked";
            case ROUTE_HOP_KIND_UNSPECIFIED, UNRECOGNIZED -> "unknown";
        };
    }

    static String json(ExplainRouteRequest asked, ExplainRouteReply r, List<PolicyExplanation> policy) {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("plain", asked.getPlain());
        json.put("host", asked.getHost());
        json.put("port", asked.getPort());
        json.put("scope", r.getScope());
        json.put("source", r.getSource());
        json.put("because", r.getBecause());
        json.put("rule", r.getRule());
        json.put("script", r.getScript());
        json.put("hops", r.getHopsList().stream().map(ProxyText::map).toList());
        json.put("policy", MAPPER.readTree(PolicyText.json(policy)));
        return MAPPER.writeValueAsString(json);
    }

    private static Map<String, Object> map(RouteHop hop) {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put(
                "kind",
                switch (hop.getKind()) {
                    case ROUTE_HOP_KIND_DIRECT -> "direct";
                    case ROUTE_HOP_KIND_PROXY -> "proxy";
                    case ROUTE_HOP_KIND_BLOCKED -> "blocked";
                    case ROUTE_HOP_KIND_UNSPECIFIED, UNRECOGNIZED -> "unknown";
                });
        json.put("proxy", hop.getProxy());
        json.put("reason", hop.getReason());
        return json;
    }
}
