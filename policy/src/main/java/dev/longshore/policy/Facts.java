package dev.longshore.policy;

import dev.longshore.config.EgressPolicy.Protocol;
import dev.longshore.packet.wire.IpAddress;
import java.util.List;

/**
 * An {@link Attempt} in a form that can be used again and again, so that a datagram costs no object; and what a decision says of
 * it. Confined to the link's event loop.
 */
final class Facts {
    Who who = Who.GUEST;
    Protocol protocol = Protocol.TCP;
    boolean hasAddress;
    long hi;
    long lo;
    boolean host;
    int port;

    /** The address is known to somebody else only, and never will be here: rules for addresses do not fit. */
    boolean elsewhere;

    /** The first {@link #names} are valid. */
    private String[] name = new String[16];

    private boolean[] asked = new boolean[16];
    private int names;

    /** Which of the names rules can be about: whoever has an address may give it many others, which are to cost nothing. */
    private int[] mattering = new int[16];

    private int matters;

    /** The first rule on trial that fits; -1 if none does. Set by a decision. */
    int staged;

    Facts begin(Who newWho, Protocol newProtocol, int newPort) {
        who = newWho;
        protocol = newProtocol;
        port = newPort;
        hasAddress = false;
        hi = 0;
        lo = 0;
        host = false;
        elsewhere = false;
        names = 0;
        matters = 0;
        staged = -1;
        return this;
    }

    void address(long newHi, long newLo) {
        hasAddress = true;
        hi = newHi;
        lo = newLo;
    }

    void add(String text, boolean isAsked) {
        add(text, isAsked, true);
    }

    /** {@code mayFit}: false if no rule is about that name. */
    void add(String text, boolean isAsked, boolean mayFit) {
        if (names == name.length) {
            name = java.util.Arrays.copyOf(name, 2 * names);
            asked = java.util.Arrays.copyOf(asked, 2 * names);
            mattering = java.util.Arrays.copyOf(mattering, 2 * names);
        }
        name[names] = text;
        if (mayFit) {
            mattering[matters++] = names;
        }
        asked[names++] = isAsked;
    }

    int matters() {
        return matters;
    }

    /** The place of one of the names that matter among all. */
    int mattering(int i) {
        return mattering[i];
    }

    int names() {
        return names;
    }

    String name(int i) {
        return name[i];
    }

    boolean isAsked(int i) {
        return asked[i];
    }

    Facts of(Attempt attempt) {
        begin(attempt.who(), attempt.protocol(), attempt.port());
        IpAddress a = attempt.address();
        if (a != null) {
            address(a.hi(), a.lo());
        }
        host = attempt.host();
        attempt.asked().forEach(n -> add(n, true));
        attempt.aliases().forEach(n -> add(n, false));
        return this;
    }

    Attempt toAttempt() {
        return new Attempt(
                who, protocol, hasAddress ? new IpAddress(hi, lo) : null, host, list(true), list(false), port);
    }

    private List<String> list(boolean ofAsked) {
        java.util.ArrayList<String> list = new java.util.ArrayList<>();
        for (int i = 0; i < names; i++) {
            if (asked[i] == ofAsked) {
                list.add(name[i]);
            }
        }
        return list;
    }
}
