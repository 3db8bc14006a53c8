package dev.longshore.vpnkit;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.packet.wire.IpAddress;
import dev.longshore.testkit.GuestEnd;
import io.netty.channel.embedded.EmbeddedChannel;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.xbill.DNS.CNAMERecord;
import org.xbill.DNS.DClass;
import org.xbill.DNS.Flags;
import org.xbill.DNS.Message;
import org.xbill.DNS.Name;
import org.xbill.DNS.Rcode;
import org.xbill.DNS.SOARecord;
import org.xbill.DNS.Section;
import org.xbill.DNS.TXTRecord;
import org.xbill.DNS.Type;

/** What the cache keeps and for how long, and questions that are on their way already: RFC 2308, RFC 9520. */
class NetworkDnsCacheTest {
    private final DnsRig rig = new DnsRig(2);
    private final FakeResolver resolver = rig.resolver();

    @AfterEach
    void close() {
        rig.close();
    }

    private void saysAddress(long ttl) {
        resolver.says = q -> {
            Message m = FakeResolver.answer(q);
            m.getHeader().setFlag(Flags.AA);
            m.addRecord(FakeResolver.a(q.getQuestion().getName(), ttl, 7), Section.ANSWER);
            return m;
        };
    }

    private void saysNothing(int rcode, @Nullable SOARecord soa) {
        resolver.says = q -> {
            Message m = FakeResolver.answer(q);
            m.getHeader().setRcode(rcode);
            if (soa != null) {
                m.addRecord(soa, Section.AUTHORITY);
            }
            return m;
        };
    }

    private static SOARecord soa(long ttl, long minimum) {
        return new SOARecord(
                DnsRig.name("test"),
                DClass.IN,
                ttl,
                DnsRig.name("ns.test"),
                DnsRig.name("h.test"),
                1,
                2,
                3,
                4,
                minimum);
    }

    private long ttl(Message m, int section) {
        return m.getSection(section).getFirst().getTTL();
    }

    @Test
    void answer_isKeptForItsTime_andCountsDown() {
        saysAddress(60);
        assertThat(ttl(rig.ask("a.test", Type.A), Section.ANSWER)).isEqualTo(60);
        rig.pass(Duration.ofSeconds(59));
        Message kept = rig.ask("A.test", Type.A);
        assertThat(ttl(kept, Section.ANSWER)).isEqualTo(1);
        assertThat(kept.getHeader().getFlag(Flags.AA)).isFalse();
        assertThat(resolver.asked).hasSize(1);
        rig.pass(Duration.ofSeconds(1));
        assertThat(ttl(rig.ask("a.test", Type.A), Section.ANSWER)).isEqualTo(60);
        assertThat(resolver.asked).hasSize(2);
        assertThat(rig.count("vpnkit.dns.answers", "from=cache")).isEqualTo(1);
    }

    @Test
    void timeToLiveOfZero_isNotKept_andALongOneIsADay() {
        saysAddress(0);
        rig.ask("a.test", Type.A);
        rig.ask("a.test", Type.A);
        assertThat(resolver.asked).hasSize(2);
        saysAddress(10_000_000);
        rig.ask("b.test", Type.A);
        assertThat(ttl(rig.ask("b.test", Type.A), Section.ANSWER)).isEqualTo(86_400);
    }

    /** RFC 9520 §3.1: a question that nobody answered is not asked again at once. */
    @Test
    void silence_isKeptForTwoSeconds_asAFailure() {
        rig.resolvers.forEach(r -> r.says = _ -> null);
        rig.send(DnsRig.query("a.test", Type.A));
        assertThat(DnsRig.parse(rig.receive(Duration.ofSeconds(5))).getRcode()).isEqualTo(Rcode.SERVFAIL);
        int asked = asked();

        Message again = rig.ask(DnsRig.edns("a.test", Type.A, 1232, false));
        assertThat(again.getRcode()).isEqualTo(Rcode.SERVFAIL);
        assertThat(again.getOPT().getOptions(org.xbill.DNS.EDNSOption.Code.EDNS_EXTENDED_ERROR))
                .singleElement()
                .asString()
                .contains("CACHED_ERROR");
        assertThat(asked()).isEqualTo(asked);
        rig.resolvers.forEach(r -> r.says = FakeResolver::one);
        assertThat(rig.ask("b.test", Type.A).getRcode()).as("of another name").isEqualTo(Rcode.NOERROR);

        rig.pass(Duration.ofSeconds(2));
        assertThat(rig.ask("a.test", Type.A).getRcode()).isEqualTo(Rcode.NOERROR);
    }

    private int asked() {
        return rig.resolvers.stream().mapToInt(r -> r.asked.size()).sum();
    }

    @Test
    void nothing_isKeptAsLongAsItsSoaSays() {
        saysNothing(Rcode.NXDOMAIN, soa(600, 20));
        rig.ask("a.test", Type.A);
        rig.pass(Duration.ofSeconds(19));
        Message m = rig.ask("a.test", Type.A);
        assertThat(m.getRcode()).isEqualTo(Rcode.NXDOMAIN);
        assertThat(ttl(m, Section.AUTHORITY)).isEqualTo(1);
        assertThat(resolver.asked).hasSize(1);
        rig.pass(Duration.ofSeconds(1));
        rig.ask("a.test", Type.A);
        assertThat(resolver.asked).hasSize(2);
        saysNothing(Rcode.NOERROR, soa(1_000_000, 1_000_000));
        rig.ask("b.test", Type.AAAA);
        assertThat(ttl(rig.ask("b.test", Type.AAAA), Section.AUTHORITY)).isEqualTo(3 * 3600);
    }

    @Test
    void nothingWithoutSoa_isNotKept() {
        saysNothing(Rcode.NOERROR, null);
        rig.ask("a.test", Type.A);
        rig.ask("a.test", Type.A);
        saysNothing(Rcode.NXDOMAIN, null);
        rig.ask("b.test", Type.A);
        rig.ask("b.test", Type.A);
        assertThat(resolver.asked).hasSize(4);
    }

    @Test
    void failure_isKeptForTwoSeconds() {
        saysNothing(Rcode.SERVFAIL, null);
        rig.resolvers.getLast().says = resolver.says;
        rig.ask("a.test", Type.A);
        rig.ask("a.test", Type.A);
        assertThat(resolver.asked).hasSize(1);
        rig.pass(Duration.ofSeconds(2));
        rig.ask("a.test", Type.A);
        assertThat(resolver.asked).hasSize(2);
    }

    /** RFC 9520 §2.2, §2.7: these, too; and as what they are. */
    @ParameterizedTest
    @ValueSource(ints = {Rcode.REFUSED, Rcode.FORMERR})
    void refusal_isKeptForTwoSeconds_asItself(int rcode) {
        saysNothing(rcode, null);
        rig.resolvers.getLast().says = resolver.says;
        assertThat(rig.ask("b.test", Type.A).getRcode()).isEqualTo(rcode);
        int asked = asked();
        Message again = rig.ask("b.test", Type.A);
        assertThat(again.getRcode()).isEqualTo(rcode);
        assertThat(again.getSection(Section.ANSWER)).isEmpty();
        assertThat(asked()).isEqualTo(asked);

        saysAddress(60);
        rig.resolvers.getLast().says = resolver.says;
        rig.pass(Duration.ofSeconds(2));
        assertThat(rig.ask("b.test", Type.A).getRcode()).isEqualTo(Rcode.NOERROR);
    }

    @Test
    void notImplemented_isNotKept() {
        saysNothing(Rcode.NOTIMP, null);
        rig.resolvers.getLast().says = resolver.says;
        rig.ask("b.test", Type.A);
        int asked = asked();
        rig.ask("b.test", Type.A);
        assertThat(asked()).isGreaterThan(asked);
    }

    @Test
    void checkedAndUnchecked_areKeptApart() {
        saysAddress(60);
        Message checking = DnsRig.query("a.test", Type.A);
        checking.getHeader().setFlag(Flags.CD);
        rig.ask("a.test", Type.A);
        rig.ask(checking);
        rig.ask(DnsRig.edns("a.test", Type.A, 1232, true));
        assertThat(resolver.asked).hasSize(3);
        rig.ask(DnsRig.edns("a.test", Type.A, 1232, false)); // OPT alone makes no difference
        assertThat(resolver.asked).hasSize(3);
    }

    @Test
    void sameQuestionOnItsWay_waitsForTheSameAnswer_eachInItsOwnForm() {
        resolver.says = q -> null;
        Message one = DnsRig.query("a.test", Type.A);
        Message two = DnsRig.query("A.TEST", Type.A);
        one.getHeader().setID(1);
        two.getHeader().setID(2);
        rig.send(one);
        rig.send(two);
        rig.awaitAsked(resolver, 1);
        resolver.says = FakeResolver::one;
        rig.resolvers.getLast().says = FakeResolver::one;
        rig.pass(Duration.ofMillis(300)); // the other resolver is asked now
        Message first = DnsRig.parse(rig.receive());
        Message second = DnsRig.parse(rig.receive());
        assertThat(List.of(first.getHeader().getID(), second.getHeader().getID()))
                .containsExactlyInAnyOrder(1, 2);
        assertThat(first.getSection(Section.ANSWER)).hasSize(1);
        assertThat(second.getSection(Section.ANSWER)).hasSize(1);
        assertThat(rig.count("vpnkit.dns.coalesced", "")).isEqualTo(1);
        assertThat(rig.count("vpnkit.dns.active", "")).isZero();
    }

    @Test
    void flush_forgets() {
        saysAddress(60);
        rig.ask("a.test", Type.A);
        assertThat(rig.net.network.dns().forwarder().flush()).isEqualTo(1);
        rig.ask("a.test", Type.A);
        assertThat(resolver.asked).hasSize(2);
    }

    @Test
    void manyAnswers_takeNoMoreThanTheirRoom() {
        resolver.says = q -> {
            Message m = FakeResolver.answer(q);
            for (int i = 0; i < 250; i++) {
                m.addRecord(
                        new TXTRecord(q.getQuestion().getName(), DClass.IN, 600, "x".repeat(200 + i % 50)),
                        Section.ANSWER);
            }
            return m;
        };
        for (int i = 0; i < 200; i++) {
            rig.askTcp(DnsRig.query("n" + i + ".test", Type.TXT));
        }
        assertThat(rig.count("vpnkit.dns.cache.bytes", "")).isBetween(7L << 20, 8L << 20);
        assertThat(rig.count("vpnkit.dns.cache.evicted", "")).isPositive();
        int asked = resolver.asked.size();
        rig.askTcp(DnsRig.query("n199.test", Type.TXT));
        assertThat(resolver.asked).hasSize(asked);
        rig.askTcp(DnsRig.query("n0.test", Type.TXT));
        assertThat(resolver.asked).hasSize(asked + 1);
    }

    /** A chain of aliases is compressed in the message, and sixteen long names in our memory. */
    @Test
    void keptAliases_takeTheRoomThatTheyTake() {
        String tail = "." + ("x".repeat(60) + ".").repeat(3) + "test";
        resolver.says = q -> {
            Message m = FakeResolver.answer(q);
            Name name = q.getQuestion().getName();
            for (int i = 0; i < 15; i++) {
                Name next = DnsRig.name("a" + i + tail);
                m.addRecord(new CNAMERecord(name, DClass.IN, 600, next), Section.ANSWER);
                name = next;
            }
            m.addRecord(FakeResolver.a(name, 600, 7), Section.ANSWER);
            return m;
        };
        Message m = rig.ask(DnsRig.edns("q" + tail, Type.A, 1232, false));
        assertThat(m.toWire().length).isLessThan(700);
        assertThat(rig.count("vpnkit.dns.cache.bytes", "")).isGreaterThan(16 * 190);
    }

    @Test
    void keptAnswers_tellNamesAgain() {
        saysAddress(86_400);
        rig.ask("a.test", Type.A);
        rig.pass(Duration.ofHours(23));
        rig.ask("a.test", Type.A);
        rig.pass(Duration.ofMinutes(90));
        List<String> names = new ArrayList<>();
        rig.net.told.namesOf(0, IpAddress.v4(7).lo(), (name, asked, _) -> names.add(name));
        assertThat(names).containsExactly("a.test");
    }

    // ---- sockets

    @Test
    void everyQuestion_hasAPortOfItsOwn_whileFewWait() {
        saysAddress(0);
        for (int i = 0; i < 40; i++) {
            rig.ask("n" + i + ".test", Type.A);
        }
        assertThat(new HashSet<>(resolver.ports)).hasSizeGreaterThan(30);
        assertThat(rig.count("vpnkit.dns.sockets.active", "")).isZero();
    }

    @Test
    void tcpConnection_isKept_pipelined_andReplacedWhenItEnds() {
        saysAddress(0);
        EmbeddedChannel channel = rig.tcp();
        for (int i = 0; i < 20; i++) {
            DnsRig.sendTcp(channel, DnsRig.query("n" + i + ".test", Type.A));
        }
        rig.awaitAsked(resolver, 20);
        assertThat(resolver.accepted).isEqualTo(1);
        rig.receiveTcp(channel);
        resolver.hangUp();
        DnsRig.sendTcp(channel, DnsRig.query("later.test", Type.A));
        rig.awaitAsked(resolver, 21);
        assertThat(resolver.accepted).isEqualTo(2);
        channel.finishAndReleaseAll();
        rig.pass(Duration.ofSeconds(11));
        assertThat(rig.count("vpnkit.dns.sockets.active", "")).isZero();
    }

    @Test
    void connectionThatEndsWithQuestions_isFollowedByAnother() {
        saysAddress(0);
        EmbeddedChannel channel = rig.tcp();
        DnsRig.sendTcp(channel, DnsRig.query("first.test", Type.A));
        rig.receiveTcp(channel);
        resolver.says = q -> null;
        DnsRig.sendTcp(channel, DnsRig.query("second.test", Type.A));
        rig.awaitAsked(resolver, 2);
        saysAddress(0);
        resolver.hangUp();
        assertThat(rig.receiveTcp(channel).getSection(Section.ANSWER)).hasSize(1);
        assertThat(resolver.accepted).isEqualTo(2);
        channel.finishAndReleaseAll();
    }

    // ---- a model

    /** A cache of maps: what it would answer at any time, ours answers. */
    @Test
    void randomQuestions_areAnsweredAsByAModel() {
        long seed = System.nanoTime();
        Random random = new Random(seed);
        Map<String, Long> until = new HashMap<>();
        long now = 0;
        resolver.says = q -> {
            Message m = FakeResolver.answer(q);
            int ttl = Math.floorMod(q.getQuestion().getName().hashCode(), 50);
            m.addRecord(FakeResolver.a(q.getQuestion().getName(), ttl, 1), Section.ANSWER);
            return m;
        };
        for (int i = 0; i < 2000; i++) {
            String name = "n" + random.nextInt(60) + ".test";
            int ttl = Math.floorMod(DnsRig.name(name).hashCode(), 50);
            long kept = until.getOrDefault(name, -1L);
            boolean hit = now < kept;
            int before = resolver.asked.size();
            Message m = rig.ask(name, Type.A);
            assertThat(resolver.asked.size() - before)
                    .as("seed %d, question %d", seed, i)
                    .isEqualTo(hit ? 0 : 1);
            if (hit) {
                assertThat(ttl(m, Section.ANSWER))
                        .as("seed %d, question %d", seed, i)
                        .isEqualTo(kept - now);
            } else {
                until.put(name, now + ttl);
            }
            int seconds = random.nextInt(4);
            now += seconds;
            rig.pass(Duration.ofSeconds(seconds));
        }
        assertThat(GuestEnd.DNS).isNotNull();
    }
}
