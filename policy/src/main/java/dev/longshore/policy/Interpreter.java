package dev.longshore.policy;

import dev.longshore.config.EgressPolicy;
import dev.longshore.config.EgressPolicy.Action;
import dev.longshore.config.EgressPolicy.From;
import dev.longshore.config.EgressPolicy.Rule;
import dev.longshore.config.EgressPolicy.To;
import dev.longshore.config.IpPrefix;
import dev.longshore.packet.wire.IpAddress;
import dev.longshore.vpnkit.flow.ContainerIdentity;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * What a policy means, rule by rule and in words: for people who ask why. {@link CompiledPolicy} decides the same, faster.
 */
final class Interpreter {
    private Interpreter() {}

    static Explanation explain(EgressPolicy policy, Attempt attempt) {
        List<Explanation.Step> steps = new ArrayList<>();
        Action action = policy.byDefault();
        String decidedBy = "";
        if (policy.mode() == EgressPolicy.Mode.OFF) {
            return new Explanation(attempt, Action.ALLOW, "", policy.mode(), List.of());
        }
        for (Rule rule : policy.rules()) {
            String misfit = misfit(rule, attempt);
            steps.add(new Explanation.Step(
                    rule.name(), rule.action(), rule.dryRun(), misfit == null, misfit == null ? "" : misfit));
            if (misfit == null && !rule.dryRun()) {
                action = rule.action();
                decidedBy = rule.name();
                break;
            }
        }
        return new Explanation(attempt, action, decidedBy, policy.mode(), steps);
    }

    /** Null if it fits. */
    private static @Nullable String misfit(Rule rule, Attempt a) {
        if (!rule.protocols().contains(a.protocol())) {
            return "not for " + a.protocol().name().toLowerCase(Locale.ROOT);
        }
        if (!rule.ports().isEmpty()
                && rule.ports().stream().noneMatch(p -> p.first() <= a.port() && a.port() <= p.last())) {
            return "not for port " + a.port();
        }
        String who = rule.from() == null ? null : misfit(rule.from(), a.who());
        if (who != null) {
            return who;
        }
        if (rule.to().isEmpty() || rule.to().stream().anyMatch(t -> fits(t, rule.action(), a))) {
            return null;
        }
        return "another destination";
    }

    private static @Nullable String misfit(From from, Who who) {
        return switch (from) {
            case From.Guest _ -> who instanceof Who.Guest ? null : "only for the guest itself";
            case From.Containers c ->
                switch (who) {
                    case Who.Guest _ -> "only for containers";
                    case Who.Unknown _ -> "it is not known which container this is";
                    case Who.Container w -> misfit(c, w.identity());
                };
        };
    }

    private static @Nullable String misfit(From.Containers wanted, ContainerIdentity is) {
        if (!any(wanted.names(), List.of(is.name()))) {
            return "another container";
        }
        if (!wanted.images().isEmpty()
                && wanted.images().stream().noneMatch(glob -> Glob.fitsImage(glob, is.image()))) {
            return "another image";
        }
        if (!any(wanted.projects(), texts(is.project()))) {
            return "another Compose project";
        }
        if (!any(wanted.services(), texts(is.service()))) {
            return "another Compose service";
        }
        return any(wanted.networks(), is.networks()) ? null : "another network";
    }

    private static List<String> texts(@Nullable String text) {
        return text == null ? List.of() : List.of(text);
    }

    private static boolean any(List<String> globs, Collection<String> texts) {
        return globs.isEmpty() || globs.stream().anyMatch(g -> texts.stream().anyMatch(t -> Glob.fits(g, t)));
    }

    private static boolean fits(To to, Action action, Attempt a) {
        return switch (to) {
            case To.Host _ -> a.host();
            case To.Network n -> a.address() != null && fits(n.prefix(), a.address());
            case To.Name n ->
                Stream.concat(a.asked().stream(), action == Action.DENY ? a.aliases().stream() : Stream.of())
                        .anyMatch(name -> n.below() ? name.endsWith("." + n.name()) : name.equals(n.name()));
        };
    }

    private static boolean fits(IpPrefix prefix, IpAddress address) {
        return contains(prefix, address)
                || (CompiledRule.isNat64(address.hi(), address.lo())
                        && contains(prefix, IpAddress.v4((int) address.lo())));
    }

    private static boolean contains(IpPrefix prefix, IpAddress address) {
        byte[] base = prefix.base().getAddress();
        byte[] bytes = address.toInetAddress().getAddress();
        int rest = 8 * base.length - prefix.bits();
        return base.length == bytes.length
                && new BigInteger(1, base).shiftRight(rest).equals(new BigInteger(1, bytes).shiftRight(rest));
    }
}
