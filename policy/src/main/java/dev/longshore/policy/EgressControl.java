package dev.longshore.policy;

import dev.longshore.config.EgressPolicy;
import dev.longshore.config.EgressPolicy.Action;
import dev.longshore.config.EgressPolicy.Protocol;
import dev.longshore.packet.wire.IpAddress;
import dev.longshore.packet.wire.IpProtocol;
import dev.longshore.vpnkit.count.Counters;
import dev.longshore.vpnkit.dns.ToldNames;
import dev.longshore.vpnkit.flow.ContainerDirectory;
import dev.longshore.vpnkit.flow.ContainerIdentity;
import dev.longshore.vpnkit.hostsocket.DirectDialer;
import dev.longshore.vpnkit.hostsocket.EgressGate;
import dev.longshore.vpnkit.hostsocket.OwnAddresses;
import dev.longshore.vpnkit.ip.IpPlan;
import io.netty.channel.EventLoop;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * The policy of one guest's network while it runs: judges, counts, tells, and ends what another policy denies. Confined to the
 * link's event loop, but for {@link #readings}.
 *
 * <p>Theory of operation: who somebody is, the directory of containers says; which names an address has, the name server's answers
 * say. Both are put into {@link Facts}, the same object for each question, and {@link CompiledPolicy} decides. An address
 * of which the directory knows nothing is asked for, if a rule looks at containers at all: a connection waits for the answer, a
 * datagram is lost meanwhile. Who remains unknown is judged by the rules for everybody, and not asked for again for some seconds.
 */
public final class EgressControl implements EgressGate {
    private static final int SOURCES = 256; // a power of two
    private static final int MAX_ASKING = 64;
    private static final int MAX_STRANGERS = 256;
    private static final long STRANGER_NANOS = TimeUnit.SECONDS.toNanos(3);

    private final EventLoop loop;
    private final IpPlan plan;
    private final ContainerDirectory containers;
    private final ToldNames told;
    private final LongSupplier nanoClock;
    private final DecisionListener listener;
    private final Counters<PolicyCounter> counters = new Counters<>(PolicyCounter.class);
    private final Facts facts = new Facts();
    private final ToldNames.Reader intoFacts = (name, asked, matters) -> {
        facts.add(name, asked, matters);
        return true;
    };
    private final Brake brake;
    private final Connections connections = new Connections(this);
    private final Set<IpAddress> asking = new HashSet<>();
    private final Map<IpAddress, Long> strangers = new LinkedHashMap<>(); // until when they are not asked for again
    private CompiledPolicy policy = new CompiledPolicy(EgressPolicy.NONE);
    private long[] matches = new long[1]; // of each rule, the default last
    private long[] staged = new long[1];
    private boolean active;
    private int epoch;

    /** The last ones, to spare objects, at places by their address. */
    private final @Nullable IpAddress[] sources = new @Nullable IpAddress[SOURCES];

    private final Who.@Nullable Container[] whos = new Who.@Nullable Container[SOURCES];

    /**
     * One that allows everything.
     *
     * @param nanoClock compared by subtraction only
     */
    public EgressControl(
            EventLoop loop,
            IpPlan plan,
            ContainerDirectory containers,
            ToldNames told,
            LongSupplier nanoClock,
            DecisionListener listener) {
        this.loop = loop;
        this.plan = plan;
        this.containers = containers;
        this.told = told;
        this.nanoClock = nanoClock;
        this.listener = listener;
        this.brake = new Brake(nanoClock.getAsLong());
    }

    /** Obeys another policy from now on. Connections that it denies are cut; the caller has {@code Network} do it for datagrams. */
    public void set(EgressPolicy next) {
        assert loop.inEventLoop();
        if (next.equals(policy.policy)) {
            return;
        }
        policy = new CompiledPolicy(next);
        matches = new long[policy.size() + 1];
        staged = new long[policy.size()];
        active = !next.isInactive();
        epoch++;
        told.matter(policy::mentions);
        counters.set(PolicyCounter.RULES, policy.size());
        if (active) {
            connections.cutDenied();
        }
    }

    /** A dialer that asks here first. */
    public GuardedDialer dialer(DirectDialer direct, OwnAddresses own) {
        return new GuardedDialer(this, direct, own);
    }

    // ---- datagrams and pings

    @Override
    public boolean isActive() {
        return active;
    }

    @Override
    public int epoch() {
        return epoch;
    }

    @Override
    public Verdict judge(
            int protocol,
            long guestHi,
            long guestLo,
            long remoteHi,
            long remoteLo,
            int remotePort,
            boolean again,
            boolean admitted) {
        IpAddress source = source(guestHi, guestLo);
        Who who = who(source);
        if (who == null) {
            ask(source);
            return Verdict.LATER;
        }
        Protocol kind = protocol == IpProtocol.UDP ? Protocol.UDP : Protocol.ICMP;
        int decision = policy.decide(facts(who, kind, remoteHi, remoteLo, remotePort));
        boolean denied = isDenied(decision);
        if (!again || denied == admitted) {
            count(decision, guestLo);
        }
        return denied ? Verdict.DENY : Verdict.ADMIT;
    }

    /** Of the same address as before, mostly the same object. */
    private IpAddress source(long hi, long lo) {
        int place = place(hi, lo);
        IpAddress had = sources[place];
        if (had == null || had.lo() != lo || had.hi() != hi) {
            had = new IpAddress(hi, lo);
            sources[place] = had;
        }
        return had;
    }

    private static int place(long hi, long lo) {
        return (int) (lo ^ lo >>> 8 ^ hi) & (SOURCES - 1);
    }

    // ---- who

    /** Null if it is not known, matters, and the Engine may know it. */
    @Nullable
    Who who(@Nullable IpAddress source) {
        if (source == null || plan.isGuest(source.hi(), source.lo())) {
            return Who.GUEST;
        }
        ContainerIdentity known = containers.of(source);
        if (known != null) {
            return container(source, known);
        }
        if (!source.isV4() && plan.isOnLink(source.hi(), source.lo())) {
            return Who.GUEST; // of the prefix it may take what it likes; of IPv4 it has what DHCP gave it
        }
        return policy.looksAtContainers() && !isStranger(source) ? null : new Who.Unknown(source);
    }

    /** Of the same container as before, mostly the same object. */
    private Who.Container container(IpAddress source, ContainerIdentity identity) {
        int place = place(source.hi(), source.lo());
        Who.Container had = whos[place];
        if (had == null || !sameObject(had.identity(), identity)) {
            had = new Who.Container(identity);
            whos[place] = had;
        }
        return had;
    }

    @SuppressWarnings("ReferenceEquality") // only to spare an object
    private static boolean sameObject(ContainerIdentity a, ContainerIdentity b) {
        return a == b;
    }

    /** As far as it is known now. */
    Who whoNow(@Nullable IpAddress source) {
        Who who = who(source);
        return who != null || source == null ? Objects.requireNonNullElse(who, Who.GUEST) : new Who.Unknown(source);
    }

    private boolean isStranger(IpAddress source) {
        Long until = strangers.get(source);
        return until != null && nanoClock.getAsLong() - until < 0;
    }

    private void ask(IpAddress source) {
        if (asking.size() < MAX_ASKING && asking.add(source)) {
            askEngine(source, _ -> {});
        }
    }

    /** {@code then} hears who it is, on the loop. */
    void askEngine(IpAddress source, java.util.function.Consumer<Who> then) {
        counters.increment(PolicyCounter.ASKED);
        containers.ask(source, loop).addListener((io.netty.util.concurrent.Future<Optional<ContainerIdentity>> _) -> {
            asking.remove(source);
            // Not the answer: that may be who had the address last.
            ContainerIdentity found = containers.of(source);
            if (found == null) {
                remember(source);
                then.accept(new Who.Unknown(source));
            } else {
                then.accept(new Who.Container(found));
            }
        });
    }

    private void remember(IpAddress stranger) {
        strangers.remove(stranger);
        if (strangers.size() >= MAX_STRANGERS) {
            strangers.remove(strangers.keySet().iterator().next());
        }
        strangers.put(stranger, nanoClock.getAsLong() + STRANGER_NANOS);
    }

    // ---- decisions

    /** Of a remote by its address, with the names it was told under. */
    Facts facts(Who who, Protocol protocol, long hi, long lo, int port) {
        facts.begin(who, protocol, port).address(hi, lo);
        if (isHost(hi, lo)) {
            facts.host = true;
            facts.add(Attempt.HOST_NAME, true);
        } else {
            told.namesOf(hi, lo, intoFacts);
        }
        return facts;
    }

    /** {@code f} was about a name alone; this is an address of it. What leads to the host's loopback is the host's. */
    void lookedUp(Facts f, IpAddress address) {
        boolean host = isHost(address.hi(), address.lo());
        if (host || address.toInetAddress().isLoopbackAddress()) {
            IpAddress seen = host ? address : plan.host();
            f.address(seen.hi(), seen.lo());
            f.host = true;
            f.add(Attempt.HOST_NAME, true);
        } else {
            f.address(address.hi(), address.lo());
        }
    }

    /** The one object that all questions share. */
    Facts facts() {
        return facts;
    }

    private boolean isHost(long hi, long lo) {
        return (lo == plan.host().lo() && hi == plan.host().hi()) || (plan.hasIpv6() && plan.isHost6(hi, lo));
    }

    IpPlan plan() {
        return plan;
    }

    int decide(Facts f) {
        return policy.decide(f);
    }

    /** True if a rule before that of the decision allows the same by some name. */
    boolean mayAllowAName(Facts f, int decision) {
        return policy.mayAllowAName(f, decision);
    }

    /** False for what is only told of. */
    boolean isDenied(int decision) {
        return policy.action(decision) == Action.DENY && policy.policy.mode() == EgressPolicy.Mode.ENFORCE;
    }

    /** For the guest. */
    String refusal(int decision) {
        return "denied by the egress policy, " + DecisionListener.by(name(decision));
    }

    /**
     * True if nobody may begin anything by this name, whatever its addresses are: the name server need not look for them. Where it depends
     * on an address, a port or a container, it is false.
     *
     * @param name in lower case, without a last dot
     */
    public boolean deniesName(String name) {
        return active && policy.policy.mode() == EgressPolicy.Mode.ENFORCE && policy.deniesName(name);
    }

    private String name(int decision) {
        return decision < 0 ? "" : policy.rule(decision).name();
    }

    /** Counts a decision about {@link #facts}, and tells of it where somebody should know. */
    void count(int decision, long guestLo) {
        matches[decision < 0 ? matches.length - 1 : decision]++;
        Action action = policy.action(decision);
        boolean denied = isDenied(decision);
        boolean wouldDeny = action == Action.DENY && !denied;
        if (wouldDeny) {
            counters.increment(PolicyCounter.WOULD_DENY);
        } else if (denied) {
            counters.increment(decision < 0 ? PolicyCounter.DENIED_BY_DEFAULT : PolicyCounter.DENIED_BY_RULE);
        } else {
            counters.increment(PolicyCounter.ALLOWED);
        }
        boolean logs =
                decision < 0 ? action == Action.DENY : policy.rule(decision).log();
        if (logs || wouldDeny || denied) {
            tell(decision, action, wouldDeny, guestLo);
        }
        int trial = facts.staged;
        if (trial >= 0) {
            countTrial(trial, action, guestLo);
        }
    }

    private void countTrial(int trial, Action real, long guestLo) {
        staged[trial]++;
        Action would = policy.rule(trial).action();
        if (would != real) {
            counters.increment(would == Action.DENY ? PolicyCounter.WOULD_DENY : PolicyCounter.WOULD_ALLOW);
            tell(trial, would, true, guestLo);
        }
    }

    private void tell(int decision, Action action, boolean dryRun, long guestLo) {
        long like = brake.like(Brake.key(decision, dryRun ? 1 : 0, facts, guestLo), nanoClock.getAsLong());
        if (like < 0) {
            counters.increment(PolicyCounter.NOT_TOLD);
        } else {
            listener.onDecision(new DecisionListener.Decided(facts.toAttempt(), name(decision), action, dryRun, like));
        }
    }

    // ---- connections

    Connections connections() {
        return connections;
    }

    void onCut() {
        counters.increment(PolicyCounter.CUT);
    }

    void onConnections(int open) {
        counters.set(PolicyCounter.CONNECTIONS, open);
    }

    // ---- for who asks

    /**
     * What the policy would say, and why.
     *
     * @param name that the guest gives or asks for; null if it uses an address
     * @param addresses of the name, as the host's resolver has them; or the one that is used
     * @param port 0 for a ping
     */
    public List<Explanation> explain(
            Who who, Protocol protocol, @Nullable String name, List<IpAddress> addresses, int port) {
        assert loop.inEventLoop();
        List<Explanation> all = new ArrayList<>();
        if (name != null && name.equals(Attempt.HOST_NAME)) {
            all.add(explain(who, protocol, null, plan.host(), port));
        } else if (addresses.isEmpty()) {
            all.add(Interpreter.explain(
                    policy.policy,
                    new Attempt(
                            who, protocol, null, false, name == null ? List.of() : List.of(name), List.of(), port)));
        }
        if (all.isEmpty()) {
            addresses.forEach(a -> all.add(explain(who, protocol, name, a, port)));
        }
        return all;
    }

    private Explanation explain(Who who, Protocol protocol, @Nullable String name, IpAddress address, int port) {
        boolean hosts = name != null && address.toInetAddress().isLoopbackAddress(); // as the proxy will find it
        IpAddress seen = hosts ? plan.host() : address;
        Facts f = facts(who, protocol, seen.hi(), seen.lo(), port);
        Attempt attempt = f.toAttempt();
        if (name != null && !attempt.asked().contains(name)) {
            List<String> asked = new ArrayList<>(List.of(name));
            asked.addAll(attempt.asked());
            attempt = new Attempt(who, protocol, attempt.address(), attempt.host(), asked, attempt.aliases(), port);
        }
        return Interpreter.explain(policy.policy, attempt);
    }

    /** A container that has an address, by its name, its id, or the beginning of one that no other has. */
    public Optional<Who> findContainer(String nameOrId) {
        List<ContainerIdentity> begin = new ArrayList<>();
        for (ContainerIdentity c : containers.all()) {
            if (c.name().equals(nameOrId)) {
                return Optional.of(new Who.Container(c));
            }
            if (!nameOrId.isEmpty() && c.id().startsWith(nameOrId)) {
                begin.add(c);
            }
        }
        return begin.size() == 1 ? Optional.of(new Who.Container(begin.getFirst())) : Optional.empty();
    }

    /** Who an address is, as far as it is known now. */
    public Who whoHas(IpAddress address) {
        assert loop.inEventLoop();
        return whoNow(address);
    }

    /** How often each rule has decided, or would have, since the policy is in force. */
    public PolicyUse use() {
        assert loop.inEventLoop();
        List<PolicyUse.RuleUse> rules = new ArrayList<>();
        for (int i = 0; i < policy.size(); i++) {
            rules.add(new PolicyUse.RuleUse(policy.rule(i), matches[i], staged[i]));
        }
        return new PolicyUse(policy.policy, rules, matches[matches.length - 1], connections.size(), told.size());
    }

    /** All counters. From any thread. */
    public List<Counters.Reading> readings() {
        return counters.readings();
    }
}
