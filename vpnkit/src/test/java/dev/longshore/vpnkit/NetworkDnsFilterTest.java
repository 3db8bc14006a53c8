package dev.longshore.vpnkit;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.config.DnsFilter;
import dev.longshore.config.NetworkingMode;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.xbill.DNS.AAAARecord;
import org.xbill.DNS.CNAMERecord;
import org.xbill.DNS.DClass;
import org.xbill.DNS.EDNSOption;
import org.xbill.DNS.ExtendedErrorCodeOption;
import org.xbill.DNS.Flags;
import org.xbill.DNS.HTTPSRecord;
import org.xbill.DNS.MXRecord;
import org.xbill.DNS.Message;
import org.xbill.DNS.NAPTRRecord;
import org.xbill.DNS.NSRecord;
import org.xbill.DNS.Name;
import org.xbill.DNS.RRSIGRecord;
import org.xbill.DNS.Rcode;
import org.xbill.DNS.Record;
import org.xbill.DNS.SOARecord;
import org.xbill.DNS.SRVRecord;
import org.xbill.DNS.SVCBBase;
import org.xbill.DNS.Section;
import org.xbill.DNS.TXTRecord;
import org.xbill.DNS.Type;

/** Addresses of a family that is left out: what the guest gets instead. */
class NetworkDnsFilterTest {
    private static final Name A = DnsRig.name("a.test");
    private static final Name B = DnsRig.name("b.test");

    private final DnsRig rig = new DnsRig(1);
    private final FakeResolver resolver = rig.resolver();

    @AfterEach
    void close() {
        rig.close();
    }

    private void filter(DnsFilter filter) {
        rig.net.network.setFamilies(NetworkingMode.DUAL_STACK, filter);
        rig.guest.clearReceived();
    }

    private static Record aaaa(Name name) {
        try {
            return new AAAARecord(name, DClass.IN, 60, InetAddress.getByName("2001:db8::1"));
        } catch (UnknownHostException e) {
            throw new IllegalStateException(e);
        }
    }

    private static Record rrsig(Name name, int covered) {
        return new RRSIGRecord(
                name,
                DClass.IN,
                60,
                covered,
                8,
                60,
                Instant.ofEpochSecond(1),
                Instant.ofEpochSecond(2),
                1,
                DnsRig.name("test"),
                new byte[64]);
    }

    private static Record alias(Name from, Name to) {
        return new CNAMERecord(from, DClass.IN, 60, to);
    }

    private void says(Record... answers) {
        resolver.says = q -> {
            Message m = FakeResolver.answer(q);
            m.getHeader().setFlag(Flags.AD);
            for (Record r : answers) {
                m.addRecord(r, Section.ANSWER);
            }
            m.addRecord(new NSRecord(DnsRig.name("test"), DClass.IN, 60, B), Section.AUTHORITY);
            m.addRecord(aaaa(B), Section.ADDITIONAL);
            m.addRecord(FakeResolver.a(B, 60, 1), Section.ADDITIONAL);
            return m;
        };
    }

    @Test
    void leftOutAddresses_leaveAliases_soaAndReason() {
        filter(DnsFilter.IPV6);
        says(alias(A, B), rrsig(A, Type.CNAME), aaaa(B), rrsig(B, Type.AAAA));

        Message m = rig.ask(DnsRig.edns("a.test", Type.AAAA, 1232, true));

        assertThat(m.getRcode()).isEqualTo(Rcode.NOERROR);
        assertThat(m.getHeader().getFlag(Flags.AD)).isFalse();
        assertThat(m.getSection(Section.ANSWER)).containsExactly(alias(A, B), rrsig(A, Type.CNAME));
        assertThat(m.getSection(Section.AUTHORITY)).singleElement().isInstanceOf(SOARecord.class);
        assertThat(m.getSection(Section.AUTHORITY).getFirst().getName()).isEqualTo(B);
        assertThat(m.getSection(Section.ADDITIONAL))
                .filteredOn(r -> r.getType() != Type.OPT)
                .singleElement()
                .isEqualTo(FakeResolver.a(B, 60, 1));
        ExtendedErrorCodeOption ede = (ExtendedErrorCodeOption)
                m.getOPT().getOptions(EDNSOption.Code.EDNS_EXTENDED_ERROR).getFirst();
        assertThat(ede.getErrorCode()).isEqualTo(17);
        // It is kept as it was given.
        Message again = rig.ask(DnsRig.edns("a.test", Type.AAAA, 1232, true));
        assertThat(resolver.asked).hasSize(1);
        assertThat(again.getSection(Section.ANSWER)).hasSize(2);
        assertThat(again.getOPT().getOptions(EDNSOption.Code.EDNS_EXTENDED_ERROR))
                .hasSize(1);
    }

    @Test
    void nameThatDoesNotExist_doesNotExist() {
        filter(DnsFilter.IPV6);
        resolver.says = q -> {
            Message m = FakeResolver.answer(q);
            m.getHeader().setRcode(Rcode.NXDOMAIN);
            return m;
        };
        assertThat(rig.ask("a.test", Type.AAAA).getRcode()).isEqualTo(Rcode.NXDOMAIN);
    }

    @Test
    void otherFamily_isUntouched_butForTheAdditionalSection() {
        filter(DnsFilter.IPV6);
        says(FakeResolver.a(A, 60, 5));
        Message m = rig.ask("a.test", Type.A);
        assertThat(m.getSection(Section.ANSWER)).containsExactly(FakeResolver.a(A, 60, 5));
        assertThat(m.getSection(Section.ADDITIONAL)).containsExactly(FakeResolver.a(B, 60, 1));
        assertThat(m.getSection(Section.AUTHORITY)).singleElement().isInstanceOf(NSRecord.class);
    }

    @Test
    void ipv4_isLeftOutTheSame_andAnySayWhatIsLeft() {
        filter(DnsFilter.IPV4);
        says(FakeResolver.a(A, 60, 5), aaaa(A));
        assertThat(rig.ask("a.test", Type.ANY).getSection(Section.ANSWER)).containsExactly(aaaa(A));
        says(FakeResolver.a(A, 60, 5));
        Message m = rig.ask("a.test", Type.A);
        assertThat(m.getSection(Section.ANSWER)).isEmpty();
        assertThat(m.getSection(Section.AUTHORITY)).singleElement().isInstanceOf(SOARecord.class);
        assertThat(m.getSection(Section.AUTHORITY).getFirst().getName()).isEqualTo(A);
    }

    // ---- HTTPS and SVCB: dnsmasq leaves ipv6hint, so that browsers use IPv6 all the same

    private static HTTPSRecord https() {
        try {
            SVCBBase.ParameterAlpn alpn = new SVCBBase.ParameterAlpn(List.of("h2"));
            SVCBBase.ParameterMandatory mandatory = new SVCBBase.ParameterMandatory(List.of(1, 6));
            SVCBBase.ParameterIpv4Hint v4 =
                    new SVCBBase.ParameterIpv4Hint(List.of((java.net.Inet4Address) InetAddress.getByName("192.0.2.1")));
            SVCBBase.ParameterIpv6Hint v6 = new SVCBBase.ParameterIpv6Hint(
                    List.of((java.net.Inet6Address) InetAddress.getByName("2001:db8::1")));
            return new HTTPSRecord(A, DClass.IN, 60, 1, B, List.of(mandatory, alpn, v4, v6));
        } catch (Exception e) {
            throw new IllegalStateException(e);
        }
    }

    @Test
    void hints_leaveServiceRecords_andTheirListOfWhatIsMandatory() {
        filter(DnsFilter.IPV6);
        says(https());
        HTTPSRecord got = (HTTPSRecord)
                rig.ask("a.test", Type.HTTPS).getSection(Section.ANSWER).getFirst();
        assertThat(got.getSvcParamKeys())
                .containsExactly(HTTPSRecord.MANDATORY, HTTPSRecord.ALPN, HTTPSRecord.IPV4HINT);
        assertThat(got.getSvcParamValue(HTTPSRecord.MANDATORY).toString()).isEqualTo("alpn");
    }

    @Test
    void signedServiceRecords_stayForWhoChecksThem_andAreStrippedForOthers() {
        filter(DnsFilter.IPV6);
        says(https(), rrsig(A, Type.HTTPS));
        Message checked = rig.ask(DnsRig.edns("a.test", Type.HTTPS, 1232, true));
        assertThat(checked.getSection(Section.ANSWER)).contains(https());
        says(https());
        Message plain = rig.ask(DnsRig.edns("a.test", Type.HTTPS, 1232, false));
        assertThat(plain.getSection(Section.ANSWER)).doesNotContain(https());
    }

    // ---- compression

    /** What another implementation wrote with compression, and what it reads of ours, are the same but for what was taken. */
    @Test
    void everyKindOfRecordWithNames_survives() {
        filter(DnsFilter.IPV6);
        Name deep = DnsRig.name("one.two.three.a.test");
        Record[] records = {
            new SOARecord(DnsRig.name("test"), DClass.IN, 60, deep, DnsRig.name("two.three.a.test"), 1, 2, 3, 4, 5),
            new MXRecord(A, DClass.IN, 60, 10, deep),
            new SRVRecord(A, DClass.IN, 60, 1, 2, 3, deep),
            new NAPTRRecord(A, DClass.IN, 60, 1, 2, "u", "E2U", "!x!y!", deep),
            new NSRecord(A, DClass.IN, 60, deep),
            new TXTRecord(A, DClass.IN, 60, List.of("a", "b")),
            rrsig(A, Type.MX)
        };
        says(records);
        Message m = rig.ask(DnsRig.edns("a.test", 255, 1232, false));
        assertThat(m.getSection(Section.ANSWER)).containsExactlyInAnyOrder(records);
        assertThat(m.getSection(Section.ADDITIONAL)).doesNotContain(aaaa(B));
    }

    @Test
    void randomMessages_loseExactlyTheFamily() {
        long seed = System.nanoTime();
        Random random = new Random(seed);
        filter(DnsFilter.IPV6);
        for (int round = 0; round < 200; round++) {
            List<Record> records = new ArrayList<>();
            Name at = DnsRig.name("n" + round + ".a.test");
            Name question = at;
            int aliases = random.nextInt(4);
            for (int i = 0; i < aliases; i++) {
                Name next = DnsRig.name("x" + random.nextInt(1000) + ".deep.a.test");
                records.add(alias(at, next));
                at = next;
            }
            int count = random.nextInt(12);
            for (int i = 0; i < count; i++) {
                records.add(random.nextBoolean() ? aaaa(at) : new TXTRecord(at, DClass.IN, 60, List.of("t" + i)));
            }
            says(records.toArray(Record[]::new));
            Message m = rig.ask(DnsRig.edns(question.toString(true), Type.AAAA, 1232, false));
            List<Record> expected =
                    records.stream().filter(r -> r.getType() != Type.AAAA).toList();
            assertThat(m.getSection(Section.ANSWER))
                    .as("seed %d round %d", seed, round)
                    .containsExactlyInAnyOrderElementsOf(expected);
        }
    }

    /** A message that the filter cannot read to its end is not passed: it might hold what is to be left out. */
    @Test
    void unreadableNames_fail() {
        filter(DnsFilter.IPV6);
        resolver.says = q -> {
            Message m = FakeResolver.answer(q);
            m.addRecord(aaaa(A), Section.ANSWER);
            m.addRecord(alias(A, DnsRig.name("cc.example")), Section.ANSWER);
            return m;
        };
        resolver.garbles = bytes -> {
            byte[] cc = {2, 'c', 'c'};
            for (int i = 12; i < bytes.length - 3; i++) {
                if (bytes[i] == cc[0] && bytes[i + 1] == 'c' && bytes[i + 2] == 'c') {
                    bytes[i] = (byte) 0xC0; // points forward
                    bytes[i + 1] = (byte) 0xFF;
                }
            }
            return bytes;
        };
        assertThat(rig.ask("a.test", Type.AAAA).getRcode()).isEqualTo(Rcode.SERVFAIL);
    }

    // ---- live

    @Test
    void filterChanges_theCacheIsEmptied() {
        says(aaaa(A));
        assertThat(rig.ask("a.test", Type.AAAA).getSection(Section.ANSWER)).hasSize(1);
        filter(DnsFilter.IPV6);
        assertThat(rig.ask("a.test", Type.AAAA).getSection(Section.ANSWER)).isEmpty();
        filter(DnsFilter.AUTO);
        assertThat(rig.ask("a.test", Type.AAAA).getSection(Section.ANSWER)).hasSize(1);
        rig.net.hostHasIpv6 = false;
        rig.pass(Duration.ofSeconds(6));
        assertThat(rig.ask("a.test", Type.AAAA).getSection(Section.ANSWER)).isEmpty();
        assertThat(ByteBuffer.allocate(0).remaining()).isZero();
    }

    @ParameterizedTest
    @CsvSource({"IPV4,true,false", "IPV6,false,true", "NONE,true,true"})
    void modesSayWhichFamilyIsThere(DnsFilter filter, boolean v6, boolean v4) {
        filter(filter);
        says(FakeResolver.a(A, 60, 1));
        assertThat(rig.ask("a.test", Type.A).getSection(Section.ANSWER)).hasSize(v4 ? 1 : 0);
        says(aaaa(A));
        assertThat(rig.ask("a.test", Type.AAAA).getSection(Section.ANSWER)).hasSize(v6 ? 1 : 0);
    }
}
