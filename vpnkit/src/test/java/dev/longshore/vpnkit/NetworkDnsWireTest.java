package dev.longshore.vpnkit;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.packet.wire.DnsMessage;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.xbill.DNS.CNAMERecord;
import org.xbill.DNS.DClass;
import org.xbill.DNS.EDNSOption;
import org.xbill.DNS.ExtendedErrorCodeOption;
import org.xbill.DNS.ExtendedFlags;
import org.xbill.DNS.Flags;
import org.xbill.DNS.GenericEDNSOption;
import org.xbill.DNS.Message;
import org.xbill.DNS.OPTRecord;
import org.xbill.DNS.Opcode;
import org.xbill.DNS.Rcode;
import org.xbill.DNS.Record;
import org.xbill.DNS.Section;
import org.xbill.DNS.TXTRecord;
import org.xbill.DNS.Type;

/** RFC 6891 and RFC 8906: every query has an answer of the right form. */
class NetworkDnsWireTest {
    private final DnsRig rig = new DnsRig(1);
    private final FakeResolver resolver = rig.resolver();

    @AfterEach
    void close() {
        rig.close();
    }

    private static Message withOpt(Message m, int payload, int version, int flags, EDNSOption... options) {
        m.addRecord(new OPTRecord(payload, 0, version, flags, List.of(options)), Section.ADDITIONAL);
        return m;
    }

    // ---- RFC 8906 §8

    @Test
    void plainQuery_hasAnAnswer_8_1_1() {
        Message m = rig.ask("a.test", Type.A);
        assertThat(m.getRcode()).isEqualTo(Rcode.NOERROR);
        assertThat(m.getSection(Section.ANSWER)).hasSize(1);
        assertThat(m.getOPT()).isNull();
    }

    @Test
    void unknownType_isRelayed_8_1_2() {
        Message m = rig.ask("a.test", 1000);
        assertThat(m.getRcode()).isEqualTo(Rcode.NOERROR);
        assertThat(resolver.asked.getFirst().getQuestion().getType()).isEqualTo(1000);
    }

    @Test
    void headerBits_arePassed_andWhatIsReservedDoesNoHarm_8_1_3() {
        Message q = DnsRig.query("a.test", Type.A);
        q.getHeader().setFlag(Flags.CD);
        q.getHeader().setFlag(Flags.AD);
        byte[] wire = q.toWire();
        wire[3] |= 0x40; // Z
        Message m = DnsRig.parse(rig.ask(wire));
        assertThat(m.getRcode()).isEqualTo(Rcode.NOERROR);
        assertThat(resolver.asked.getFirst().getHeader().getFlag(Flags.CD)).isTrue();
        assertThat(resolver.asked.getFirst().getHeader().getFlag(Flags.AD)).isTrue();
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 4, 5, 6, 15})
    void unknownOpcode_isNotImplemented_andEchoed_8_1_4(int opcode) {
        Message q = DnsRig.query("a.test", Type.A);
        q.getHeader().setOpcode(opcode);
        byte[] header = java.util.Arrays.copyOf(q.toWire(), 12);
        header[5] = 0; // no question at all
        for (byte[] wire : List.of(header, q.toWire())) {
            Message m = DnsRig.parse(rig.ask(wire));
            assertThat(m.getRcode()).isEqualTo(Rcode.NOTIMP);
            assertThat(m.getHeader().getOpcode()).isEqualTo(opcode);
            assertThat(m.getHeader().getFlag(Flags.AA)).isFalse();
            assertThat(m.getHeader().getCount(Section.QUESTION)).isZero();
        }
        assertThat(Opcode.QUERY).isZero();
    }

    @Test
    void ednsVersionOne_isBadVersion_8_2_2() {
        Message m = rig.ask(withOpt(DnsRig.query("a.test", Type.A), 1232, 1, 0));
        assertThat(m.getRcode()).isEqualTo(Rcode.BADVERS);
        assertThat(m.getOPT().getVersion()).isZero();
        assertThat(m.getSection(Section.ANSWER)).isEmpty();
        assertThat(resolver.asked).isEmpty();
    }

    @Test
    void unknownOption_crossesBothWays_andIsCachedForNobody_8_2_3() {
        resolver.says = q -> withOpt(FakeResolver.one(q), 1232, 0, 0, new GenericEDNSOption(65_001, new byte[] {7}));
        for (int i = 1; i <= 2; i++) {
            Message m = rig.ask(
                    withOpt(DnsRig.query("a.test", Type.A), 1232, 0, 0, new GenericEDNSOption(65_001, new byte[] {5})));
            assertThat(m.getOPT().getOptions(65_001)).hasSize(1);
            assertThat(resolver.asked).hasSize(i);
            assertThat(resolver.asked.getLast().getOPT().getOptions(65_001)).hasSize(1);
        }
    }

    @Test
    void unknownEdnsFlags_areNotEchoed_8_2_4() {
        Message m = rig.ask(withOpt(DnsRig.query("a.test", Type.A), 1232, 0, 0x80));
        assertThat(m.getRcode()).isEqualTo(Rcode.NOERROR);
        assertThat(m.getOPT().getFlags()).isZero();
    }

    @Test
    void ednsVersionOneWithUnknownFlagsAndOption_isBadVersion_8_2_5_to_8_2_7() {
        Message m = rig.ask(
                withOpt(DnsRig.query("a.test", Type.A), 1232, 1, 0x80, new GenericEDNSOption(100, new byte[0])));
        assertThat(m.getRcode()).isEqualTo(Rcode.BADVERS);
        assertThat(m.getOPT().getFlags()).isZero();
        assertThat(m.getOPT().getOptions()).isEmpty();
    }

    @Test
    void dnssecOk_isPassedAndEchoed_8_2_8() {
        Message m = rig.ask(DnsRig.edns("a.test", Type.A, 1232, true));
        assertThat(resolver.asked.getFirst().getOPT().getFlags()).isEqualTo(ExtendedFlags.DO);
        assertThat(m.getOPT().getFlags()).isEqualTo(ExtendedFlags.DO);
    }

    @Test
    void hopByHopOptions_stayHere() {
        rig.ask(withOpt(
                DnsRig.query("a.test", Type.A),
                4096,
                0,
                0,
                new GenericEDNSOption(10, new byte[8]),
                new GenericEDNSOption(11, new byte[0]),
                new GenericEDNSOption(12, new byte[20])));
        assertThat(resolver.asked.getFirst().getOPT().getOptions()).isEmpty();
        assertThat(resolver.asked.getFirst().getOPT().getPayloadSize()).isEqualTo(1232);
    }

    @Test
    void twoOpts_orOneInTheWrongPlace_isMalformed() {
        Message two = DnsRig.edns("a.test", Type.A, 1232, false);
        byte[] wire = two.toWire();
        byte[] doubled = java.util.Arrays.copyOf(wire, wire.length + 11);
        System.arraycopy(wire, wire.length - 11, doubled, wire.length, 11);
        doubled[11] = 2;
        assertThat(DnsRig.parse(rig.ask(doubled)).getRcode()).isEqualTo(Rcode.FORMERR);
        wire[11] = 0;
        wire[7] = 1; // among the answers
        Message m = DnsRig.parse(rig.ask(wire));
        assertThat(m.getRcode()).isEqualTo(Rcode.FORMERR);
        assertThat(m.getOPT()).isNotNull();
        assertThat(resolver.asked).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 2, 65_535})
    void notOneQuestion_isMalformed(int count) {
        byte[] wire = DnsRig.query("a.test", Type.A).toWire();
        wire[4] = (byte) (count >>> 8);
        wire[5] = (byte) count;
        assertThat(DnsRig.parse(rig.ask(wire)).getRcode()).isEqualTo(Rcode.FORMERR);
    }

    @Test
    void questionWithAPointer_orCutOff_isMalformed() {
        byte[] pointer = {1, 2, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, (byte) 0xC0, 12, 0, 1, 0, 1};
        byte[] cut = {1, 2, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 3, 'a', 'b'};
        byte[] longLabel = {1, 2, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0x41, 'a', 0, 0, 1, 0, 1};
        for (byte[] wire : List.of(pointer, cut, longLabel)) {
            byte[] answer = rig.ask(wire);
            assertThat(answer[3] & 0xF).isEqualTo(Rcode.FORMERR);
            assertThat(answer[0]).isEqualTo((byte) 1);
            assertThat(answer[1]).isEqualTo((byte) 2);
        }
    }

    @ParameterizedTest
    @CsvSource({"255,0", "256,1"})
    void nameOfTooManyBytes_isMalformed(int bytes, int rcode) { // RFC 1035 §2.3.4
        ByteBuf q = Unpooled.buffer();
        DnsMessage.writeQueryHeader(q, 7);
        for (int left = bytes - 1; left > 0; ) {
            int label = Math.min(left, 64) - 1;
            q.writeByte(label).writeZero(label);
            left -= 1 + label;
        }
        q.writeByte(0).writeShort(Type.A).writeShort(DClass.IN);
        byte[] answer = rig.ask(ByteBufUtil.getBytes(q));
        assertThat(answer[3] & 0xF).isEqualTo(rcode);
    }

    /** 16 KiB of pointers to pointers, which thousands of records may point to: as good as unreadable. */
    @ParameterizedTest
    @CsvSource({"127,true", "128,false"})
    void chainOfPointers_isFollowedNotForLong(int pointers, boolean readable) {
        ByteBuf m = Unpooled.buffer();
        DnsMessage.writeQueryHeader(m, 7);
        DnsMessage.writeName(m, "a");
        for (int i = 1, to = 12; i < pointers; i++) {
            int at = m.writerIndex();
            m.writeShort(0xC000 | to);
            to = at;
        }
        int last = m.writerIndex();
        m.writeShort(0xC000 | (pointers == 1 ? 12 : last - 2));
        byte[] name = new byte[DnsMessage.MAX_NAME_BYTES];
        int len = m.readableBytes();
        assertThat(DnsMessage.name(m, 0, len, last) != null).isEqualTo(readable);
        assertThat(DnsMessage.copyName(m, 0, len, last, name, false) > 0).isEqualTo(readable);
    }

    /** Whoever does not know what was asked does not know that there is no such name. */
    @Test
    void answersWithoutTheQuestion_orOfAnotherKind_areNone() {
        byte[][] wrong = {{(byte) 0x81, (byte) 0x83}, {(byte) 0xA9, (byte) 0x80}}; // NXDOMAIN; an answer to UPDATE
        for (byte[] flags : wrong) {
            rig.guest.clearReceived();
            resolver.garbles = bytes -> {
                boolean whole = flags[0] != (byte) 0x81;
                byte[] made = java.util.Arrays.copyOf(bytes, whole ? bytes.length : 12);
                System.arraycopy(flags, 0, made, 2, 2);
                if (!whole) {
                    java.util.Arrays.fill(made, 4, 12, (byte) 0);
                }
                return made;
            };
            rig.send(DnsRig.query("a" + flags[0] + ".test", Type.A));
            rig.awaitAsked(resolver, resolver.asked.size() + 1);
            rig.pass(java.time.Duration.ofMillis(100));
            assertThat(rig.guest.hasReceived()).isFalse();
            resolver.garbles = null;
            assertThat(DnsRig.parse(rig.receive(java.time.Duration.ofSeconds(2)))
                            .getRcode())
                    .isEqualTo(Rcode.NOERROR);
        }
    }

    @Test
    void classChaosAndZoneTransfer_areRefused() {
        Message version = Message.newQuery(Record.newRecord(DnsRig.name("version.bind"), Type.TXT, DClass.CH));
        assertThat(rig.ask(version).getRcode()).isEqualTo(Rcode.REFUSED);
        assertThat(rig.ask(DnsRig.query("a.test", Type.AXFR)).getRcode()).isEqualTo(Rcode.REFUSED);
        assertThat(resolver.asked).isEmpty();
    }

    @Test
    void recursionNotDesired_isPassed() {
        Message q = DnsRig.query("a.test", Type.A);
        q.getHeader().unsetFlag(Flags.RD);
        Message m = rig.ask(q);
        assertThat(resolver.asked.getFirst().getHeader().getFlag(Flags.RD)).isFalse();
        assertThat(m.getHeader().getFlag(Flags.RD)).isFalse();
    }

    @Test
    void capitals_areKept_whateverTheResolverMakesOfThem() { // draft-vixie-dnsext-dns0x20
        resolver.garbles = bytes -> {
            for (int i = 12; i < 20; i++) {
                bytes[i] = (byte) Character.toLowerCase(bytes[i]);
            }
            return bytes;
        };
        byte[] answer = rig.ask(DnsRig.query("eXaMpLe.TeSt", Type.A).toWire());
        assertThat(new String(answer, 13, 7, java.nio.charset.StandardCharsets.US_ASCII))
                .isEqualTo("eXaMpLe");
        byte[] cached = rig.ask(DnsRig.query("ExAmPlE.tEsT", Type.A).toWire());
        assertThat(new String(cached, 13, 7, java.nio.charset.StandardCharsets.US_ASCII))
                .isEqualTo("ExAmPlE");
        assertThat(resolver.asked).hasSize(1);
    }

    // ---- sizes

    private static Message large(Message query, int records) {
        Message m = FakeResolver.answer(query);
        for (int i = 0; i < records; i++) {
            m.addRecord(FakeResolver.a(query.getQuestion().getName(), 60, 0x0A00_0000 | i), Section.ANSWER);
        }
        if (query.getOPT() != null) {
            m.addRecord(new OPTRecord(4096, 0, 0), Section.ADDITIONAL);
        }
        return m;
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 100, 512, 513, 1232, 1233, 4096, 65_535})
    void answerTooLargeForUdp_isTheQuestionWithTc_andWholeOverTcp(int payload) {
        resolver.says = q -> large(q, 400);
        Message q = payload == 0 ? DnsRig.query("a.test", Type.A) : DnsRig.edns("a.test", Type.A, payload, false);
        byte[] wire = rig.ask(q.toWire());
        Message m = DnsRig.parse(wire);
        assertThat(m.getHeader().getFlag(Flags.TC)).isTrue();
        assertThat(m.getSection(Section.ANSWER)).isEmpty();
        assertThat(wire).hasSizeLessThan(60);
        assertThat(m.getOPT() != null).isEqualTo(payload != 0);
        Message whole = rig.askTcp(q);
        assertThat(whole.getHeader().getFlag(Flags.TC)).isFalse();
        assertThat(whole.getSection(Section.ANSWER)).hasSize(400);
        // From the cache now, and still too large.
        assertThat(rig.ask(q).getHeader().getFlag(Flags.TC)).isTrue();
    }

    @Test
    void answerThatFits_dependsOnWhatTheGuestTakes() {
        resolver.says = q -> large(q, 60); // about 1,000 bytes
        assertThat(rig.ask(DnsRig.query("a.test", Type.A)).getHeader().getFlag(Flags.TC))
                .isTrue();
        Message m = rig.ask(DnsRig.edns("a.test", Type.A, 1232, false));
        assertThat(m.getHeader().getFlag(Flags.TC)).isFalse();
        assertThat(m.getSection(Section.ANSWER)).hasSize(60);
        // And now the small one is answered from the cache, cut the same.
        assertThat(rig.ask(DnsRig.query("a.test", Type.A)).getHeader().getFlag(Flags.TC))
                .isTrue();
    }

    @Test
    void keepaliveIsTold_overTcpOnly() { // RFC 7828
        Message q = withOpt(DnsRig.query("a.test", Type.A), 1232, 0, 0, new GenericEDNSOption(11, new byte[0]));
        assertThat(rig.ask(q).getOPT().getOptions(11)).isEmpty();
        assertThat(rig.askTcp(q).getOPT().getOptions(11)).hasSize(1);
    }

    @Test
    void servfail_hasOptAndReason_exactlyIfTheQueryHadOpt() {
        rig.resolver().close();
        Message m = rig.ask(DnsRig.edns("a.test", Type.A, 1232, false));
        assertThat(m.getRcode()).isEqualTo(Rcode.SERVFAIL);
        ExtendedErrorCodeOption ede = (ExtendedErrorCodeOption)
                m.getOPT().getOptions(EDNSOption.Code.EDNS_EXTENDED_ERROR).getFirst();
        assertThat(ede.getErrorCode()).isIn(22, 23);
        assertThat(rig.ask("b.test", Type.A).getOPT()).isNull();
    }

    @Test
    void resolverWithoutEdns_isAskedWithoutIt() {
        resolver.says = q -> {
            if (q.getOPT() != null) {
                Message m = FakeResolver.answer(q);
                m.getHeader().setRcode(Rcode.FORMERR);
                return m;
            }
            return FakeResolver.one(q);
        };
        Message m = rig.ask(DnsRig.edns("a.test", Type.A, 1232, false));
        assertThat(m.getRcode()).isEqualTo(Rcode.NOERROR);
        assertThat(m.getOPT()).isNotNull();
        assertThat(resolver.asked).hasSize(2);
    }

    @Test
    void answerThatIsCutInARecord_isTruncated_notBroken() {
        resolver.garbles = bytes -> java.util.Arrays.copyOf(bytes, bytes.length - 3);
        Message m = rig.ask("a.test", Type.A);
        assertThat(m.getHeader().getFlag(Flags.TC)).isTrue();
        assertThat(m.getSection(Section.ANSWER)).isEmpty();
    }

    @Test
    void aliasesAndText_crossAsTheyAre() {
        resolver.says = q -> {
            Message m = FakeResolver.answer(q);
            m.addRecord(
                    new CNAMERecord(q.getQuestion().getName(), DClass.IN, 60, DnsRig.name("b.test")), Section.ANSWER);
            m.addRecord(
                    new TXTRecord(DnsRig.name("b.test"), DClass.IN, 60, List.of("x".repeat(255), "y")), Section.ANSWER);
            return m;
        };
        Message m = rig.ask("a.test", Type.TXT);
        assertThat(m.getSection(Section.ANSWER)).hasSize(2);
        assertThat(((TXTRecord) m.getSection(Section.ANSWER).get(1)).getStrings())
                .hasSize(2);
    }

    /** Whatever comes: an answer with the same id or nothing, never an exception, and the server lives. */
    @Test
    void randomBytes_doNoHarm() {
        long seed = System.nanoTime();
        Random random = new Random(seed);
        byte[] good = DnsRig.edns("a.example.test", Type.A, 1232, true).toWire();
        for (int i = 0; i < 20_000; i++) {
            byte[] bytes = good.clone();
            int changes = 1 + random.nextInt(6);
            for (int k = 0; k < changes; k++) {
                bytes[random.nextInt(bytes.length)] = (byte) random.nextInt();
            }
            rig.send(java.util.Arrays.copyOf(bytes, random.nextInt(bytes.length + 1)));
            rig.net.loop.runDue();
            rig.guest.clearReceived();
        }
        resolver.serve();
        rig.pass(java.time.Duration.ofSeconds(6));
        rig.guest.clearReceived();
        assertThat(rig.ask("host.docker.internal", Type.A).getSection(Section.ANSWER))
                .as("seed %d", seed)
                .hasSize(1);
        assertThat(rig.count("vpnkit.dns.active", "")).isZero();
    }
}
