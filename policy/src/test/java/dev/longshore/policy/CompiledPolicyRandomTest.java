package dev.longshore.policy;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.config.EgressPolicy;
import dev.longshore.config.EgressPolicy.Action;
import dev.longshore.config.EgressPolicy.From;
import dev.longshore.config.EgressPolicy.Mode;
import dev.longshore.config.EgressPolicy.Ports;
import dev.longshore.config.EgressPolicy.Protocol;
import dev.longshore.config.EgressPolicy.Rule;
import dev.longshore.config.EgressPolicy.To;
import dev.longshore.config.IpPrefix;
import dev.longshore.packet.wire.IpAddress;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** The compiled policy decides what the plain one does, for random policies and attempts from a small world, where much fits. */
class CompiledPolicyRandomTest {
    private static final int POLICIES = 1_500;
    private static final int ATTEMPTS = 60;
    private static final List<String> WORDS = List.of("a", "b", "ab", "a-b", "web", "web-1", "");
    private static final List<String> GLOBS = List.of("*", "a*", "?", "web*", "*b", "web-?", "a", "b");
    private static final List<String> NAMES =
            List.of("a.example", "b.a.example", "c.b.a.example", "example", "x.test", "aexample");
    private static final List<String> IMAGES = List.of("a", "a:1", "r:5/a:1", "web@sha256:0", "b/a", "r:5/a");

    private final long seed = Long.getLong("seed", new Random().nextLong());
    private final Random random = new Random(seed);

    @Test
    void compiled_decidesAsInterpreted() {
        Facts facts = new Facts();
        for (int p = 0; p < POLICIES; p++) {
            EgressPolicy policy = policy();
            CompiledPolicy compiled = new CompiledPolicy(policy);
            for (int a = 0; a < ATTEMPTS; a++) {
                Attempt attempt = attempt(true);
                Explanation explanation = Interpreter.explain(policy, attempt);
                int decision =
                        compiled.decide(random.nextBoolean() ? facts.of(attempt) : told(facts, compiled, attempt));
                Supplier<String> which = () -> "seed " + seed + ": " + attempt + " by " + policy.toJson();
                assertThat(decision < 0 ? "" : compiled.rule(decision).name())
                        .as(which)
                        .isEqualTo(explanation.decidedBy());
                assertThat(compiled.action(decision)).as(which).isEqualTo(explanation.action());
                assertThat(facts.staged < 0 ? "" : compiled.rule(facts.staged).name())
                        .as(which)
                        .isEqualTo(explanation.steps().stream()
                                .filter(s -> s.dryRun() && s.fits())
                                .map(Explanation.Step::rule)
                                .findFirst()
                                .orElse(""));
            }
        }
    }

    /** As the name server has it, which knows the names that no rule is about. */
    private static Facts told(Facts facts, CompiledPolicy policy, Attempt a) {
        facts.of(new Attempt(a.who(), a.protocol(), a.address(), a.host(), List.of(), List.of(), a.port()));
        a.asked().forEach(n -> facts.add(n, true, policy.mentions(n)));
        a.aliases().forEach(n -> facts.add(n, false, policy.mentions(n)));
        assertThat(facts.toAttempt()).isEqualTo(a);
        return facts;
    }

    /** What is decided by a name alone holds for whatever addresses it has. */
    @Test
    void decidedWithoutAddress_holdsForEveryAddress() {
        Facts facts = new Facts();
        for (int p = 0; p < POLICIES; p++) {
            CompiledPolicy compiled = new CompiledPolicy(policy());
            for (int a = 0; a < ATTEMPTS; a++) {
                Attempt attempt = attempt(false);
                int early = compiled.decide(facts.of(attempt));
                IpAddress address = address();
                facts.of(attempt).address(address.hi(), address.lo());
                if (random.nextInt(4) == 0) { // it led to the host
                    facts.host = true;
                    facts.add(Attempt.HOST_NAME, true);
                }
                int late = compiled.decide(facts);
                if (early != CompiledPolicy.UNDECIDED) {
                    assertThat(late)
                            .as(() -> "seed " + seed + ": " + attempt + " at " + address + " by "
                                    + compiled.policy.toJson())
                            .isEqualTo(early);
                }
            }
        }
    }

    private EgressPolicy policy() {
        List<Rule> rules = new ArrayList<>();
        int count = random.nextInt(6);
        for (int i = 0; i < count; i++) {
            rules.add(rule("r" + i));
        }
        return new EgressPolicy(Mode.ENFORCE, any(Action.values()), rules);
    }

    private Rule rule(String name) {
        EnumSet<Protocol> protocols =
                EnumSet.of(any(Protocol.values()), any(Protocol.values()), any(Protocol.values()));
        return new Rule(
                name,
                any(Action.values()),
                random.nextInt(4) == 0,
                random.nextBoolean(),
                from(),
                some(4, this::to),
                random.nextInt(3) == 0 ? some(3, this::ports) : List.of(),
                protocols);
    }

    private @Nullable From from() {
        return switch (random.nextInt(4)) {
            case 0 -> new From.Guest();
            case 1 -> new From.Containers(rarely(GLOBS), rarely(IMAGES), rarely(GLOBS), rarely(GLOBS), rarely(GLOBS));
            default -> null;
        };
    }

    private List<String> rarely(List<String> choice) {
        return random.nextInt(3) == 0 ? some(3, () -> any(choice)) : List.of();
    }

    private To to() {
        return switch (random.nextInt(5)) {
            case 0 -> new To.Host();
            case 1 -> new To.Name(any(NAMES), random.nextBoolean());
            default -> new To.Network(prefix());
        };
    }

    private IpPrefix prefix() {
        IpAddress address = address();
        int bits = random.nextInt(address.isV4() ? 33 : 129);
        String text = address + "/" + bits;
        try {
            return IpPrefix.parse(text);
        } catch (IllegalArgumentException e) { // bits behind the prefix: the text names the right one
            String message = String.valueOf(e.getMessage());
            return IpPrefix.parse(message.substring(message.lastIndexOf(' ') + 1));
        }
    }

    private Ports ports() {
        int first = 1 + random.nextInt(5);
        return new Ports(first, first + random.nextInt(3));
    }

    private Attempt attempt(boolean withAddress) {
        Protocol protocol = any(Protocol.values());
        return new Attempt(
                who(),
                protocol,
                withAddress ? address() : null,
                random.nextInt(5) == 0,
                some(3, () -> any(NAMES)),
                some(3, () -> any(NAMES)),
                protocol == Protocol.ICMP ? 0 : 1 + random.nextInt(8));
    }

    private Who who() {
        return switch (random.nextInt(4)) {
            case 0 -> Who.GUEST;
            case 1 -> new Who.Unknown(address());
            default ->
                new Who.Container(Policies.container(
                        any(WORDS),
                        any(IMAGES),
                        random.nextBoolean() ? any(WORDS) : null,
                        random.nextBoolean() ? any(WORDS) : null,
                        Set.copyOf(some(3, () -> any(WORDS))).toArray(String[]::new)));
        };
    }

    /** Near each other, and at the ends of both families. */
    private IpAddress address() {
        return switch (random.nextInt(7)) {
            case 6 -> IpAddress.parse("64:ff9b::10." + random.nextInt(4) + ".0." + random.nextInt(4));
            case 0 -> IpAddress.v4(random.nextBoolean() ? 0 : -1);
            case 1 -> new IpAddress(random.nextBoolean() ? -1L : 1L << 63, random.nextInt(3) - 1);
            case 2 -> new IpAddress(0x2001_0db8_0000_0000L + random.nextInt(4), random.nextInt(4));
            default -> IpAddress.v4(0x0A00_0000 + (random.nextInt(4) << 16) + random.nextInt(4));
        };
    }

    private <T> T any(T[] choice) {
        return choice[random.nextInt(choice.length)];
    }

    private <T> T any(List<T> choice) {
        return choice.get(random.nextInt(choice.size()));
    }

    private <T> List<T> some(int most, Supplier<T> one) {
        List<T> list = new ArrayList<>();
        int count = random.nextInt(most + 1);
        for (int i = 0; i < count; i++) {
            list.add(one.get());
        }
        return list;
    }
}
