package dev.longshore.vpnkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import dev.longshore.packet.wire.IpAddress;
import dev.longshore.vpnkit.dns.DnsExplanation;
import dev.longshore.vpnkit.dns.DnsLog;
import dev.longshore.vpnkit.dns.DnsRoute;
import dev.longshore.vpnkit.dns.DnsSource;
import io.netty.channel.embedded.EmbeddedChannel;
import java.io.IOException;
import java.net.Inet6Address;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.xbill.DNS.ARecord;
import org.xbill.DNS.Message;
import org.xbill.DNS.PTRRecord;
import org.xbill.DNS.Rcode;
import org.xbill.DNS.SOARecord;
import org.xbill.DNS.Section;
import org.xbill.DNS.Type;

/** Who is asked: routes by domain, the hosts file, resolvers that ask us; and what an operator is told of it. */
class NetworkDnsRoutesTest {
    @TempDir
    Path dir;

    private DnsRig rig = new DnsRig(3);

    @AfterEach
    void close() {
        rig.close();
    }

    private InetSocketAddress address(int resolver) {
        return rig.resolvers.get(resolver).address();
    }

    private int askedBy(String name) {
        int[] before = rig.resolvers.stream().mapToInt(r -> r.asked.size()).toArray();
        rig.ask(name, Type.A);
        int who = -1;
        for (int i = 0; i < before.length; i++) {
            if (rig.resolvers.get(i).asked.size() > before[i]) {
                assertThat(who).as("one resolver only").isNegative();
                who = i;
            }
        }
        return who;
    }

    // ---- routes

    @ParameterizedTest
    @CsvSource({
        "corp.example,1",
        "db.corp.example,1",
        "DB.Corp.EXAMPLE,1",
        "xcorp.example,0",
        "corp.example.org,0",
        "deep.lab.corp.example,2",
        "lab.corp.example,2",
        "slab.corp.example,1",
        "example,0",
        "a.test,0",
    })
    void longestDomain_onTheBoundariesOfLabels_counts(String name, int resolver) {
        rig.net.network.setResolvers(
                List.of(address(0)),
                List.of(
                        new DnsRoute("corp.example", List.of(address(1))),
                        new DnsRoute("lab.corp.example", List.of(address(2)))));
        assertThat(askedBy(name)).isEqualTo(resolver);
    }

    @Test
    void routesChange_theCacheIsEmptied_andOpenQuestionsEnd() {
        rig.net.network.setResolvers(List.of(address(0)), List.of());
        assertThat(askedBy("a.test")).isZero();
        assertThat(askedBy("a.test")).isEqualTo(-1); // cached
        rig.net.network.setResolvers(List.of(address(0)), List.of(new DnsRoute("test", List.of(address(1)))));
        assertThat(askedBy("a.test")).isEqualTo(1);
        rig.net.network.setResolvers(List.of(address(0)), List.of(new DnsRoute("", List.of(address(2)))));
        assertThat(askedBy("a.test")).isEqualTo(2);
        assertThat(rig.count("vpnkit.dns.answers", "from=route")).isEqualTo(1);
    }

    @Test
    void routeWhoseServersAreDead_fails_andNobodyElseIsAsked() {
        rig.net.network.setResolvers(List.of(address(0)), List.of(new DnsRoute("corp", List.of(address(1)))));
        rig.resolvers.get(1).close();
        assertThat(rig.ask("a.corp", Type.A).getRcode()).isEqualTo(Rcode.SERVFAIL);
        assertThat(rig.resolver().asked).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void questionsFromBeforeAChange_openNoSocketsToResolversThatAreGone(boolean tcp) {
        rig.net.network.setResolvers(List.of(address(0), address(1)), List.of());
        rig.resolver().says = q -> null;
        EmbeddedChannel channel = rig.tcp();
        if (tcp) {
            DnsRig.sendTcp(channel, DnsRig.query("a.test", Type.A));
        } else {
            rig.send(DnsRig.query("a.test", Type.A));
        }
        rig.awaitAsked(rig.resolver(), 1);
        rig.net.network.setResolvers(List.of(address(0)), List.of(new DnsRoute("corp", List.of(address(2)))));
        rig.pass(Duration.ofSeconds(1)); // it would be the other one's turn
        rig.pass(Duration.ofSeconds(4));
        rig.pass(Duration.ofSeconds(30));
        assertThat(rig.resolvers.get(1).asked).isEmpty();
        assertThat(rig.count("vpnkit.dns.active", "")).isZero();
        assertThat(rig.count("vpnkit.dns.sockets.active", "")).isZero();
        channel.finishAndReleaseAll();
    }

    /** moby#28573, lima#1488: fe80::1%eth0, as routers announce themselves. */
    @Test
    void resolverOfALink_isAskedByItsInterface() throws IOException {
        Optional<FakeResolver> any =
                FakeResolver.at(a -> a.isLinkLocalAddress() && a instanceof Inet6Address six && six.getScopeId() > 1);
        assumeThat(any).as("an interface with IPv6").isPresent();
        try (FakeResolver resolver = any.orElseThrow()) {
            Inet6Address linkLocal = (Inet6Address) resolver.address().getAddress();
            rig.resolvers.add(resolver);
            InetSocketAddress address = new InetSocketAddress(
                    Inet6Address.getByAddress(null, linkLocal.getAddress(), linkLocal.getScopeId()),
                    resolver.address().getPort());
            rig.net.network.setResolvers(List.of(address), List.of());
            assertThat(rig.ask("a.test", Type.A).getSection(Section.ANSWER)).hasSize(1);
            Message byTcp = rig.askTcp(DnsRig.query("b.test", Type.A));
            assertThat(byTcp.getSection(Section.ANSWER)).hasSize(1);
            assertThat(resolver.asked).hasSize(2);

            // The same address on another link is another host.
            rig.net.network.setResolvers(List.of(other(linkLocal, address.getPort()), address), List.of());
            assertThat(explain("c.test", Type.A).steps().get(1)).contains("%1]").contains("%" + linkLocal.getScopeId());
        }
    }

    private static InetSocketAddress other(Inet6Address a, int port) throws IOException {
        return new InetSocketAddress(Inet6Address.getByAddress(null, a.getAddress(), 1), port);
    }

    /** RFC 6762 §22.1: no resolver but those that are meant for them hears of them. */
    @Test
    void namesOfTheLink_areAskedOfResolversThatAreMeantForThem() throws IOException {
        Optional<FakeResolver> ours = FakeResolver.at(a -> !a.isLoopbackAddress() && !a.isLinkLocalAddress());
        assumeThat(ours).as("an address that is not loopback").isPresent();
        try (FakeResolver outside = ours.orElseThrow()) {
            rig.resolvers.add(outside);
            rig.net.network.setResolvers(List.of(outside.address()), List.of());
            assertThat(rig.ask("x.test", Type.A).getSection(Section.ANSWER)).hasSize(1);
            Message service = rig.ask("_ipp._tcp.Local", Type.SRV);
            assertThat(service.getRcode()).isEqualTo(Rcode.NOERROR);
            assertThat(service.getSection(Section.AUTHORITY)).hasSize(1);
            assertThat(rig.ask("local", Type.NS).getRcode()).isEqualTo(Rcode.NOERROR);
            assertThat(outside.asked).hasSize(1);

            rig.net.network.setResolvers(
                    List.of(outside.address()), List.of(new DnsRoute("corp.local", List.of(address(1)))));
            assertThat(askedBy("db.corp.local")).isEqualTo(1);
            rig.net.network.setResolvers(List.of(address(0)), List.of()); // the host's own program
            assertThat(askedBy("printer.local")).isZero();
            assertThat(outside.asked).hasSize(1);
        }
    }

    // ---- the hosts file

    private Path hosts(String text) throws IOException {
        Path file = dir.resolve("hosts");
        Path fresh = dir.resolve("fresh");
        Files.writeString(fresh, text);
        return Files.move(fresh, file, java.nio.file.StandardCopyOption.REPLACE_EXISTING);
    }

    private void withHosts(String text) throws IOException {
        rig.close();
        rig = new DnsRig(1, hosts(text));
    }

    private List<String> addresses(String name, int type) {
        return rig.ask(name, type).getSection(Section.ANSWER).stream()
                .map(r -> r.rdataToString())
                .toList();
    }

    @Test
    void hostsFile_isKnown_aliasesToo_andTheHostsLoopbackIsTheHost() throws IOException {
        withHosts("""
                127.0.0.1 localhost myhost.test # the host itself
                ::1 localhost ip6-loopback myhost.test
                10.0.0.5\tDB.corp.test  db
                10.0.0.6 db
                2001:db8::5 db.corp.test
                fe80::1%lo0 scoped.test
                not-an-address x.test
                0.0.0.0 ads.test
                """);
        assertThat(addresses("Db.Corp.Test", Type.A)).containsExactly("10.0.0.5");
        assertThat(addresses("db", Type.A)).containsExactlyInAnyOrder("10.0.0.5", "10.0.0.6");
        assertThat(addresses("db.corp.test", Type.AAAA)).containsExactly("2001:db8:0:0:0:0:0:5");
        assertThat(addresses("myhost.test", Type.A)).containsExactly("192.168.65.254");
        assertThat(addresses("myhost.test", Type.AAAA)).containsExactly("fdc4:f303:9324:0:0:0:0:254");
        assertThat(addresses("ads.test", Type.A)).containsExactly("0.0.0.0");
        assertThat(addresses("localhost", Type.A)).containsExactly("127.0.0.1"); // the asker's own
        Message other = rig.ask("db.corp.test", Type.MX);
        assertThat(other.getRcode()).isEqualTo(Rcode.NOERROR);
        assertThat(other.getSection(Section.AUTHORITY)).singleElement().isInstanceOf(SOARecord.class);
        assertThat(rig.ask("db", Type.AAAA).getRcode()).isEqualTo(Rcode.NOERROR);
        PTRRecord pointer = (PTRRecord) rig.ask("5.0.0.10.in-addr.arpa", Type.PTR)
                .getSection(Section.ANSWER)
                .getFirst();
        assertThat(pointer.getTarget()).hasToString("db.corp.test.");
        assertThat(rig.ask("5." + "0.".repeat(23) + "8.b.d.0.1.0.0.2.ip6.arpa", Type.PTR)
                        .getSection(Section.ANSWER))
                .hasSize(1);
        assertThat(rig.resolver().asked).isEmpty();
        List<String> told = new ArrayList<>();
        rig.net.told.namesOf(0, IpAddress.parse("10.0.0.6").lo(), (n, asked, _) -> told.add(n));
        assertThat(told).containsExactly("db");
        assertThat(rig.ask("scoped.test", Type.A).getSection(Section.ANSWER)).hasSize(1); // the resolver's
    }

    @Test
    void hostsFileChanges_orGoes_andIsReadAgain() throws IOException {
        withHosts("10.0.0.5 a.test\n");
        assertThat(addresses("a.test", Type.A)).containsExactly("10.0.0.5");
        hosts("10.0.0.66 a.test\n");
        rig.pass(Duration.ofSeconds(3));
        addresses("a.test", Type.A); // looks
        rig.net.loop.runUntil(() -> addresses("a.test", Type.A).equals(List.of("10.0.0.66")), "the new address");
        Files.delete(dir.resolve("hosts"));
        rig.pass(Duration.ofSeconds(3));
        addresses("a.test", Type.A);
        rig.net.loop.runUntil(() -> addresses("a.test", Type.A).equals(List.of("192.0.2.1")), "the resolver's address");
    }

    @Test
    void hostsOfThousandsOfNames_areRead() throws IOException {
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < 50_000; i++) {
            text.append("0.0.0.0 ad").append(i).append(".example\n");
        }
        withHosts(text.toString());
        assertThat(addresses("ad49999.example", Type.A)).containsExactly("0.0.0.0");
    }

    // ---- loops

    @Test
    void resolverThatAsksUs_isFound_andLeftOut() {
        FakeResolver looping = rig.resolver();
        rig.net.network.setResolvers(List.of(looping.address()), List.of());
        List<Message> toUs = new ArrayList<>();
        looping.says = q -> {
            toUs.add(q);
            return null;
        };
        rig.send(DnsRig.query("a.test", Type.A));
        rig.awaitAsked(looping, 1);
        rig.send(toUs.getFirst()); // the guest's forwarder asks what it was asked
        rig.awaitAsked(looping, 2);
        Message probe = toUs.get(1);
        assertThat(probe.getQuestion().getName().toString()).endsWith(".loop.docker.internal.");
        rig.guest.clearReceived();
        rig.send(probe);
        List<Message> answers =
                List.of(DnsRig.parse(rig.receive()), DnsRig.parse(rig.receive()), DnsRig.parse(rig.receive()));
        assertThat(answers)
                .extracting(Message::getRcode)
                .containsExactlyInAnyOrder(Rcode.NXDOMAIN, Rcode.SERVFAIL, Rcode.SERVFAIL);
        assertThat(rig.count("vpnkit.dns.loops", "")).isEqualTo(1);
        // Not asked any more, and nobody waits.
        assertThat(rig.ask("b.test", Type.A).getRcode()).isEqualTo(Rcode.SERVFAIL);
        assertThat(looping.asked).hasSize(2);
        rig.pass(Duration.ofSeconds(31));
        looping.says = FakeResolver::one;
        assertThat(rig.ask("b.test", Type.A).getRcode()).isEqualTo(Rcode.NOERROR);
    }

    @Test
    void ourZones_areAskedOfNobody() {
        for (String name : List.of("x.docker.internal", "a.invalid", "9.65.168.192.in-addr.arpa")) {
            assertThat(rig.ask(name, Type.A).getRcode()).as(name).isEqualTo(Rcode.NXDOMAIN);
        }
        rig.resolvers.forEach(r -> assertThat(r.asked).isEmpty());
    }

    /** Such a name is nobody's, but it must not cross the zone's border for that: it may say something. */
    @ParameterizedTest
    @ValueSource(strings = {"a\\032b", "a\\.b", "a\\000b", "\\255"})
    void labelsOfAnyBytes_areInTheirZoneToo(String label) {
        assertThat(rig.ask(label + ".docker.internal", Type.A).getRcode()).isEqualTo(Rcode.NXDOMAIN);
        assertThat(rig.ask(label + ".invalid", Type.TXT).getRcode()).isEqualTo(Rcode.NXDOMAIN);
        rig.net.network.dns().setPolicy(name -> name.endsWith(".bad.test"));
        assertThat(rig.ask(label + ".bad.test", Type.A).getRcode()).isEqualTo(Rcode.REFUSED);
        rig.resolvers.forEach(r -> assertThat(r.asked).isEmpty());
        assertThat(rig.ask(label + ".good.test", Type.A).getRcode()).isEqualTo(Rcode.NOERROR);
    }

    // ---- policy

    @Test
    void refusedName_isRefused_forAddressesOnly() {
        rig.net.network.dns().setPolicy(name -> name.equals("bad.test"));
        Message m = rig.ask(DnsRig.edns("BAD.test", Type.A, 1232, false));
        assertThat(m.getRcode()).isEqualTo(Rcode.REFUSED);
        assertThat(m.getOPT().getOptions()).hasSize(1);
        assertThat(rig.ask("bad.test", Type.TXT).getRcode()).isEqualTo(Rcode.NOERROR);
        assertThat(rig.ask("good.test", Type.A).getRcode()).isEqualTo(Rcode.NOERROR);
        assertThat(rig.count("vpnkit.dns.answers", "from=policy")).isEqualTo(1);
    }

    // ---- explanations and the log

    private DnsExplanation explain(String name, int type) {
        DnsExplanation[] got = new DnsExplanation[1];
        rig.net.network.dns().explain(name, type, e -> got[0] = e);
        rig.net.loop.runUntil(
                () -> {
                    rig.resolvers.forEach(FakeResolver::serve);
                    return got[0] != null;
                },
                "an explanation");
        return got[0];
    }

    @Test
    void explanation_tellsWhoAnswered() {
        rig.net.network.setResolvers(List.of(address(0)), List.of(new DnsRoute("corp.example", List.of(address(1)))));
        DnsExplanation routed = explain("db.corp.example", Type.A);
        assertThat(routed.source()).isEqualTo(DnsSource.ROUTE);
        assertThat(routed.from()).isEqualTo("127.0.0.1:" + address(1).getPort());
        assertThat(routed.steps()).anyMatch(s -> s.startsWith("route corp.example: "));
        assertThat(routed.records()).containsExactly("db.corp.example. 60 A 192.0.2.1");
        rig.pass(Duration.ofSeconds(10));
        DnsExplanation kept = explain("db.corp.example", Type.A);
        assertThat(kept.source()).isEqualTo(DnsSource.CACHE);
        assertThat(kept.steps().getFirst()).startsWith("in the cache for 10 s, for 50 s more");
        assertThat(explain("host.docker.internal", Type.A).source()).isEqualTo(DnsSource.LOCAL);
        assertThat(rig.net.network.dns().log().last(10))
                .as("nothing that the guest asked")
                .isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.test"})
    void explanationOfNoName_saysSo(String name) {
        assertThat(explain(name, Type.A).rcode()).isEqualTo("FORMERR");
    }

    @Test
    void explanationOfALargeAnswer_isTheWholeOne() {
        rig.net.network.setResolvers(List.of(address(0)), List.of());
        rig.resolver().says = q -> {
            Message m = FakeResolver.answer(q);
            for (int i = 0; i < 100; i++) {
                m.addRecord(FakeResolver.a(q.getQuestion().getName(), 60, i), Section.ANSWER);
            }
            return m;
        };
        // By UDP it answers too much, and is cut here.
        assertThat(explain("many.test", Type.A).records()).hasSize(100);
        assertThat(new ARecord(DnsRig.name("a"), 1, 1, new byte[4])).isNotNull();
    }

    @Test
    void log_keepsTheLastThousand() {
        for (int i = 0; i < 1010; i++) {
            rig.ask("n" + i + ".localhost", Type.A);
        }
        List<DnsLog.Line> lines = rig.net.network.dns().log().last(5000);
        assertThat(lines).hasSize(1000);
        assertThat(lines.getFirst().name()).isEqualTo("n10.localhost.");
        assertThat(lines.getLast().name()).isEqualTo("n1009.localhost.");
        assertThat(lines.getLast().source()).isEqualTo(DnsSource.LOCAL);
        assertThat(lines.getLast().rcode()).isEqualTo("NOERROR");
        assertThat(lines.getLast().guest().toString()).isEqualTo("192.168.65.3");
        assertThat(rig.net.network.dns().log().last(2)).hasSize(2);
        assertThat(rig.count("vpnkit.dns.rcodes", "rcode=noerror")).isEqualTo(1010);
    }
}
