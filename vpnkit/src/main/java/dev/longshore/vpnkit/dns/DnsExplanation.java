package dev.longshore.vpnkit.dns;

import java.util.List;

/**
 * How a question was answered. Immutable.
 *
 * @param name with its last dot
 * @param flags of those that mean something to people: aa, tc, rd, ra, ad, cd
 * @param source who answered
 * @param from the resolver, or the domain of the route if none answered; empty if none was asked
 * @param filtered addresses of a family that is left out were taken out
 * @param micros until the answer
 * @param steps what happened, in order
 * @param records of the answer, a line each
 */
public record DnsExplanation(
        String name,
        String type,
        String rcode,
        List<String> flags,
        DnsSource source,
        String from,
        boolean filtered,
        long micros,
        List<String> steps,
        List<String> records) {}
