package dev.longshore.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import org.assertj.core.api.SoftAssertions;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Our name server beside unbound, dnsmasq and the server that has the zones: what they say alike, it says. */
@Order(20)
@Timeout(1200)
@BesideTheGuest
class DnsIT {
    private static final List<String> QUESTIONS = List.of(
            "example.test SOA",
            "example.test NS",
            "example.test MX",
            "example.test CAA",
            "example.test A",
            "a.example.test A",
            "a.example.test AAAA",
            "aaaa.example.test AAAA",
            "both.example.test A",
            "BOTH.Example.TEST AAAA",
            "zero.example.test A",
            "www.example.test A",
            "www.example.test AAAA",
            "www.example.test CNAME",
            "www.example.test MX",
            "dangling.example.test A",
            "_sip._tcp.example.test SRV",
            "https.example.test HTTPS",
            "svc.example.test SVCB",
            "naptr.example.test NAPTR",
            "odd.example.test TYPE65280",
            "long.example.test TXT",
            "empty.example.test TXT",
            "loc.example.test LOC",
            "any.wild.example.test A",
            "any.wild.example.test AAAA",
            "ent.example.test A",
            "sub.ent.example.test A",
            "ds.example.test DS",
            "sshfp.example.test SSHFP",
            "tlsa.example.test TLSA",
            "some.example.test A",
            "many.example.test A",
            "nowhere.example.test A",
            "nowhere.example.test TYPE1000");

    /** Of a zone that is signed: there and not there, an alias, larger than UDP takes, a delegation. */
    private static final List<String> SIGNED = List.of(
            "signed.test SOA",
            "signed.test DNSKEY",
            "a.signed.test A",
            "a.signed.test AAAA",
            "www.signed.test A",
            "big.signed.test TXT",
            "child.signed.test DS",
            "nowhere.signed.test A");

    @TempDir
    static Path dir;

    private static DnsLab lab;

    @BeforeAll
    @Timeout(1200) // it may have to make the root of other people's programs
    static void start() {
        lab = new DnsLab(dir);
    }

    @AfterAll
    static void stop() {
        lab.close();
    }

    private static List<String> dig(String server, String question, String... options) {
        List<String> line = new ArrayList<>(List.of("dig", "+noall", "+comments", "+answer", "+authority"));
        line.addAll(List.of("+tries=1", "+time=4", "+nocookie", "@" + server));
        line.addAll(List.of(options));
        line.addAll(List.of(question.split(" ")));
        return line;
    }

    private static Dig ours(String question, String... options) {
        return Dig.of(lab.guest(dig(DnsLab.GUEST_DNS, question, options).toArray(String[]::new)));
    }

    private static Dig theirs(String server, String question, String... options) {
        return Dig.of(lab.host(dig(server, question, options).toArray(String[]::new)));
    }

    /** Twice each of ours: from nsd, and from the cache. By the four ways there are. */
    @Test
    void everyKindOfRecord_isWhatTheOthersSay() {
        SoftAssertions all = new SoftAssertions();
        for (String question : QUESTIONS) {
            for (String transport : List.of("+notcp", "+tcp")) {
                String expected = theirs(DnsLab.UNBOUND, question, transport).essence();
                String other = theirs(DnsLab.DNSMASQ, question, transport).essence();
                all.assertThat(other)
                        .as("dnsmasq beside unbound: %s %s", question, transport)
                        .isEqualTo(expected);
                for (int i = 0; i < 2; i++) {
                    all.assertThat(ours(question, transport).essence())
                            .as("%s %s, %s", question, transport, i == 0 ? "asked" : "kept")
                            .isEqualTo(expected);
                }
                Dig v6 = Dig.of(
                        lab.guest(dig(DnsLab.GUEST_DNS6, question, transport).toArray(String[]::new)));
                all.assertThat(v6.essence())
                        .as("%s %s by IPv6", question, transport)
                        .isEqualTo(expected);
            }
        }
        all.assertAll();
    }

    /** Signatures and what they sign, asked and kept, as nsd has them. */
    @Test
    void signedRecords_crossUntouched() {
        SoftAssertions all = new SoftAssertions();
        for (String question : SIGNED) {
            for (String transport : List.of("+notcp", "+tcp")) {
                Dig expected = theirs(DnsLab.NSD, question, transport, "+dnssec");
                all.assertThat(expected.text()).contains("RRSIG");
                for (int i = 0; i < 2; i++) {
                    Dig d = ours(question, transport, "+dnssec");
                    String as = question + " " + transport + (i == 0 ? ", asked" : ", kept");
                    all.assertThat(d.essence()).as(as).isEqualTo(recursive(expected.essence()));
                    all.assertThat(d.records("AUTHORITY")).as(as).isEqualTo(expected.records("AUTHORITY"));
                }
                all.assertThat(ours(question, transport).text())
                        .as("%s without DO", question)
                        .doesNotContain("RRSIG");
            }
        }
        all.assertAll();
    }

    /** An authoritative server looks nothing up for others, and says so; we do. */
    private static String recursive(String essence) {
        return essence.replaceFirst("\\[qr, rd]", "[qr, rd, ra]");
    }

    /** BIND's validator, which knows the zone's key and nobody but us, believes what is there, and what is not. */
    @Test
    void validatorInTheGuest_believesSignedRecords() {
        SoftAssertions all = new SoftAssertions();
        for (String question : SIGNED) {
            List<String> line =
                    new ArrayList<>(List.of("delv", "@" + DnsLab.GUEST_DNS, "-a", "/lab/anchor", "+root=signed.test"));
            line.addAll(List.of(question.split(" ")));
            String said = lab.guest(line.toArray(String[]::new)).run().out();
            all.assertThat(said).as(question).contains("fully validated").doesNotContain("unsigned answer");
        }
        all.assertAll();
    }

    @Test
    void withoutEdns_andIgnoringTruncation_itIsTheQuestionAlone() {
        for (String options : List.of("+noedns", "+edns=0 +bufsize=512", "+edns=0 +bufsize=4096")) {
            List<String> more = new ArrayList<>(List.of(options.split(" ")));
            more.addAll(List.of("+notcp", "+ignore"));
            Dig d = ours("many.example.test A", more.toArray(String[]::new));
            assertThat(d.flags()).as(options).contains("tc");
            assertThat(d.records("ANSWER")).as(options).isEmpty();
            assertThat(d.hasOpt()).as(options).isEqualTo(!options.equals("+noedns"));
        }
        assertThat(ours("many.example.test A").records("ANSWER")).hasSize(400);
    }

    /** The queries of RFC 8906 §8, in dig's words as the RFC has them, and what each has to come to. */
    @Test
    void rfc8906_everyQueryHasItsAnswer() {
        SoftAssertions all = new SoftAssertions();
        for (String server : List.of(DnsLab.GUEST_DNS, DnsLab.GUEST_DNS6)) {
            for (Map.Entry<String, String> e : rfc8906().entrySet()) {
                List<String> line = new ArrayList<>(List.of("dig", "+tries=1", "+time=4", "@" + server));
                line.addAll(List.of(e.getKey().split(" ")));
                String said = lab.guest(line.toArray(String[]::new)).run().out();
                all.assertThat(said)
                        .as("%s: %s", server, e.getKey())
                        .containsPattern(Pattern.compile(e.getValue(), Pattern.DOTALL));
            }
        }
        all.assertAll();
    }

    private static Map<String, String> rfc8906() {
        return Map.ofEntries(
                Map.entry("+noedns +noad +norec a.example.test SOA", "status: NOERROR"),
                Map.entry("+noedns +noad +norec a.example.test TYPE1000", "status: NOERROR"),
                Map.entry("+noedns +noad +norec +cd a.example.test SOA", "status: NOERROR"),
                Map.entry("+noedns +noad +norec +zflag a.example.test SOA", "status: NOERROR"),
                Map.entry(
                        "+noedns +noad +opcode=15 +norec +header-only a.example.test",
                        "opcode: RESERVED15, status: NOTIMP"),
                Map.entry("+noedns +noad +norec +tcp a.example.test SOA", "status: NOERROR"),
                Map.entry("+nocookie +edns=0 +noad +norec a.example.test SOA", "status: NOERROR.*EDNS: version: 0"),
                Map.entry(
                        "+nocookie +edns=1 +noednsneg +noad +norec a.example.test SOA",
                        "status: BADVERS.*EDNS: version: 0"),
                Map.entry(
                        "+nocookie +edns=0 +noad +norec +ednsopt=100 a.example.test SOA",
                        "status: NOERROR.*EDNS: version: 0"),
                Map.entry(
                        "+nocookie +edns=0 +noad +norec +ednsflags=0x40 a.example.test SOA",
                        "status: NOERROR.*EDNS: version: 0, flags:;"),
                Map.entry(
                        "+nocookie +edns=1 +noednsneg +noad +norec +ednsopt=100 a.example.test SOA",
                        "status: BADVERS.*EDNS: version: 0"),
                Map.entry(
                        "+nocookie +edns=1 +noednsneg +noad +norec +ednsflags=0x40 a.example.test SOA",
                        "status: BADVERS.*EDNS: version: 0, flags:;"),
                Map.entry(
                        "+nocookie +edns=0 +noad +norec +dnssec a.example.test SOA",
                        "status: NOERROR.*EDNS: version: 0, flags: do"),
                Map.entry(
                        "+edns=0 +noad +norec +nsid +subnet=0.0.0.0/0 +cookie=0102030405060708 a.example.test SOA",
                        "status: NOERROR.*EDNS: version: 0"),
                Map.entry(
                        "+nocookie +edns=0 +bufsize=512 +ignore +notcp many.example.test A",
                        "flags: [a-z ]*tc[a-z ]*;"),
                Map.entry("-c CH version.bind TXT", "status: REFUSED"));
    }

    @Test
    void route_asksTheDomainsOwnServer_andItIsExplained() {
        assertThat(ours("db.corp.test A").records("ANSWER")).containsExactly("db.corp.test. IN A 10.20.30.40");
        lab.longshore("dns", "query", "db.corp.test").run().expectOk();
        String text =
                lab.longshore("dns", "query", "db.corp.test").run().expectOk().out();
        assertThat(text).contains("db.corp.test. A: NOERROR").contains("cache " + DnsLab.CORP);
        assertThat(lab.longshore("dns", "flush").run().expectOk().out()).contains("forgotten");
        text = lab.longshore("dns", "query", "DB.corp.test").run().expectOk().out();
        assertThat(text)
                .contains("route corp.test: " + DnsLab.CORP + ":53")
                .contains("route " + DnsLab.CORP + ":53")
                .contains("answered by UDP")
                .contains("DB.corp.test. 300 A 10.20.30.40");
        String json = lab.longshore("dns", "query", "host.docker.internal", "--format", "json")
                .run()
                .expectOk()
                .out();
        assertThat(json).contains("\"source\":\"local\"").contains("192.168.65.254");
        assertThat(lab.longshore("dns", "query", "many.example.test", "--format", "json")
                        .run()
                        .expectOk()
                        .out())
                .contains("by TCP");
        assertThat(lab.longshore("dns", "query", "nowhere.example.test").run().exit())
                .isEqualTo(1);
        assertThat(lab.longshore("dns", "query", "a.test", "NOTYPE").run().exit())
                .isNotZero();
    }

    @Test
    void log_hasWhatTheGuestAsked() {
        ours("logged.example.test TXT");
        String last = lab.longshore("dns", "log", "--most", "1", "--format", "json")
                .run()
                .expectOk()
                .out();
        assertThat(last)
                .contains("\"name\":\"logged.example.test.\"")
                .contains("\"type\":\"TXT\"")
                .contains("\"rcode\":\"NXDOMAIN\"")
                .contains("\"guest\":\"192.168.65.3\"");
        assertThat(lab.longshore("metrics").run().expectOk().out())
                .contains("vpnkit_dns_rcodes_total{rcode=\"nxdomain\"}");
    }

    /** A hundred at once, each on a port of its own: none is lost, and they are what was asked for. */
    @Test
    void load_isAnswered_withoutLoss() {
        StringBuilder questions = new StringBuilder();
        for (int i = 0; i < 2000; i++) {
            questions.append("n").append(i).append(".wild.example.test A\n");
        }
        lab.writeGuest("/lab/questions", questions.toString());
        String said = lab.guest("dnsperf", "-s", DnsLab.GUEST_DNS, "-d", "/lab/questions", "-q", "100", "-t", "5")
                .run()
                .expectOk()
                .out();
        assertThat(said).contains("Queries completed:    2000 (100.00%)").contains("NOERROR 2000 (100.00%)");
    }
}
