package dev.longshore.proxy.route;

/**
 * A decision with what led to it. Immutable.
 *
 * @param source where the configuration comes from
 * @param rule the built-in or the entry of an exclusion list that fits; empty if none does
 * @param script what the script returned, on one line; empty if none was asked
 */
public record RouteExplanation(String source, String rule, String script, RouteDecision decision) {}
