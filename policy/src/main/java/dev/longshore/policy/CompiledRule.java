package dev.longshore.policy;

import dev.longshore.config.EgressPolicy.Action;
import dev.longshore.config.EgressPolicy.From;
import dev.longshore.config.EgressPolicy.Ports;
import dev.longshore.config.EgressPolicy.Protocol;
import dev.longshore.config.EgressPolicy.Rule;
import dev.longshore.config.EgressPolicy.To;
import dev.longshore.config.IpPrefix;
import dev.longshore.packet.wire.IpAddress;
import dev.longshore.vpnkit.flow.ContainerIdentity;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** One rule, made for being asked often: {@link Interpreter} is what it means. Immutable; makes no object when asked. */
final class CompiledRule {
    enum Fit {
        NO,
        YES,
        /** It depends on the address, which is not known yet. */
        MAYBE
    }

    final Rule rule;
    private final int protocols;
    private final int[] firstPorts;
    private final int[] lastPorts;
    private final @Nullable From from;
    private final boolean everywhere;
    private final boolean host;
    private final boolean mayBeHost;
    private final boolean deniesAliases;
    private final Ranges v4;
    private final Ranges v6;
    private final Set<String> names = new HashSet<>();
    private final String[] domains;

    CompiledRule(Rule rule) {
        this.rule = rule;
        int mask = 0;
        for (Protocol p : rule.protocols()) {
            mask |= bit(p);
        }
        protocols = mask;
        firstPorts = rule.ports().stream().mapToInt(Ports::first).toArray();
        lastPorts = rule.ports().stream().mapToInt(Ports::last).toArray();
        from = rule.from();
        everywhere = rule.to().isEmpty();
        host = rule.to().stream().anyMatch(To.Host.class::isInstance);
        deniesAliases = rule.action() == Action.DENY;
        List<IpPrefix> prefixes = rule.to().stream()
                .filter(To.Network.class::isInstance)
                .map(t -> ((To.Network) t).prefix())
                .toList();
        v4 = Ranges.of(prefixes, true);
        v6 = Ranges.of(prefixes, false);
        for (To t : rule.to()) {
            if (t instanceof To.Name n && !n.below()) {
                names.add(n.name());
            }
        }
        domains = rule.to().stream()
                .filter(t -> t instanceof To.Name n && n.below())
                .map(t -> "." + ((To.Name) t).name())
                .distinct()
                .toArray(String[]::new);
        mayBeHost = host || fitsName(Attempt.HOST_NAME);
    }

    private static final int ALL = 7;

    private static int bit(Protocol protocol) {
        return switch (protocol) {
            case TCP -> 1;
            case UDP -> 2;
            case ICMP -> 4;
        };
    }

    /** True if it fits some containers and others not. */
    boolean looksAtContainers() {
        return from instanceof From.Containers;
    }

    Fit fit(Facts f) {
        if ((protocols & bit(f.protocol)) == 0 || !fitsPort(f.port) || !fitsWho(f.who)) {
            return Fit.NO;
        }
        if (everywhere || (host && f.host) || fitsName(f)) {
            return Fit.YES;
        }
        if (!f.hasAddress) {
            boolean looks = !v4.isEmpty() || !v6.isEmpty() || mayBeHost; // a name may lead to the host, too
            return looks && !f.elsewhere ? Fit.MAYBE : Fit.NO;
        }
        return fitsAddress(f.hi, f.lo) ? Fit.YES : Fit.NO;
    }

    /** True if it fits by some name. */
    boolean mayFitAName(Facts f) {
        boolean named = !names.isEmpty() || domains.length > 0;
        return named && (protocols & bit(f.protocol)) != 0 && fitsPort(f.port) && fitsWho(f.who);
    }

    private boolean fitsAddress(long hi, long lo) {
        if (IpAddress.isV4(hi, lo)) {
            return v4.contains(hi, lo);
        }
        return v6.contains(hi, lo) || (isNat64(hi, lo) && v4.contains(0, IpAddress.loOfV4((int) lo)));
    }

    /** {@code 64:ff9b::/96}: where the host's network translates, an IPv4 address in other clothes (RFC 6052 §2.1). */
    static boolean isNat64(long hi, long lo) {
        return hi == 0x0064_FF9B_0000_0000L && lo >>> 32 == 0;
    }

    private boolean fitsPort(int port) {
        for (int i = 0; i < firstPorts.length; i++) {
            if (port >= firstPorts[i] && port <= lastPorts[i]) {
                return true;
            }
        }
        return firstPorts.length == 0;
    }

    private boolean fitsWho(Who who) {
        return switch (from) {
            case null -> true;
            case From.Guest _ -> who instanceof Who.Guest;
            case From.Containers c -> who instanceof Who.Container w && fits(c, w.identity());
        };
    }

    private static boolean fits(From.Containers wanted, ContainerIdentity is) {
        return fitsAny(wanted.names(), is.name())
                && fitsAny(wanted.projects(), is.project())
                && fitsAny(wanted.services(), is.service())
                && fitsImage(wanted.images(), is.image())
                && fitsNetwork(wanted.networks(), is.networks());
    }

    private static boolean fitsAny(List<String> globs, @Nullable String text) {
        for (int i = 0; i < globs.size(); i++) {
            if (text != null && Glob.fits(globs.get(i), text)) {
                return true;
            }
        }
        return globs.isEmpty();
    }

    private static boolean fitsImage(List<String> globs, String image) {
        for (int i = 0; i < globs.size(); i++) {
            if (Glob.fitsImage(globs.get(i), image)) {
                return true;
            }
        }
        return globs.isEmpty();
    }

    private static boolean fitsNetwork(List<String> globs, Set<String> networks) {
        if (globs.isEmpty()) {
            return true;
        }
        for (String network : networks) {
            if (fitsAny(globs, network)) {
                return true;
            }
        }
        return false;
    }

    private boolean fitsName(Facts f) {
        for (int m = 0; m < f.matters(); m++) {
            int i = f.mattering(m);
            if ((f.isAsked(i) || deniesAliases) && fitsName(f.name(i))) {
                return true;
            }
        }
        return false;
    }

    /** True if it fits whatever anybody begins by this name. */
    boolean isAllOf(String name) {
        return from == null && protocols == ALL && firstPorts.length == 0 && fitsName(name);
    }

    /** True if it could fit something that somebody begins by this name, whose addresses are not known. */
    boolean mayFit(String name) {
        return everywhere || !v4.isEmpty() || !v6.isEmpty() || fitsName(name);
    }

    private boolean fitsName(String name) {
        if (names.contains(name)) {
            return true;
        }
        for (String domain : domains) {
            if (name.length() > domain.length() && name.endsWith(domain)) {
                return true;
            }
        }
        return false;
    }
}
