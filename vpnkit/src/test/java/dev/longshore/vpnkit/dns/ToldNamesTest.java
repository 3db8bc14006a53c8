package dev.longshore.vpnkit.dns;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.packet.wire.DnsMessage;
import dev.longshore.packet.wire.IpAddress;
import dev.longshore.testkit.FakeClock;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** Names of addresses, from answers as resolvers write them. */
class ToldNamesTest {
    private static final String ADDRESS = "192.0.2.1";

    private final FakeClock clock = new FakeClock();
    private final ToldNames told = new ToldNames(clock::nanos);

    private static ByteBuf answer(String name, int answers) {
        ByteBuf query = Unpooled.buffer();
        DnsMessage.writeQueryHeader(query, 1);
        ByteBuf b = Unpooled.buffer();
        DnsMessage.writeAnswerHeader(b, query, 0, DnsMessage.RCODE_OK, 1, answers, 0, 0);
        DnsMessage.writeQuestion(b, name, DnsMessage.TYPE_A);
        return b;
    }

    private static ByteBuf record(ByteBuf b, String owner, int type, int ttl) {
        DnsMessage.writeName(b, owner);
        return b.writeShort(type).writeShort(DnsMessage.CLASS_IN).writeInt(ttl);
    }

    private static ByteBuf a(ByteBuf b, String owner, int ttl, String address) {
        return record(b, owner, DnsMessage.TYPE_A, ttl)
                .writeShort(4)
                .writeInt(IpAddress.parse(address).v4Bits());
    }

    private static ByteBuf cname(ByteBuf b, String owner, String target) {
        record(b, owner, DnsMessage.TYPE_CNAME, 60);
        int lengthAt = b.writerIndex();
        b.writeShort(0);
        DnsMessage.writeName(b, target);
        b.setShort(lengthAt, b.writerIndex() - lengthAt - 2);
        return b;
    }

    private void pass(Duration time) {
        clock.sleep(time.toNanos(), TimeUnit.NANOSECONDS);
    }

    private void read(ByteBuf b) {
        told.read(b, 0, b.readableBytes());
    }

    /** Aliases in brackets. */
    private List<String> names(String address) {
        IpAddress a = IpAddress.parse(address);
        List<String> names = new ArrayList<>();
        told.namesOf(a.hi(), a.lo(), (name, asked, _) -> names.add(asked ? name : "[" + name + "]"));
        return names;
    }

    @Test
    void addressesOfBothFamilies_haveTheNameThatWasAskedFor_inLowerCase() {
        ByteBuf b = a(answer("WWW.Example.COM", 2), "www.example.com", 60, ADDRESS);
        record(b, "www.example.com", DnsMessage.TYPE_AAAA, 60)
                .writeShort(16)
                .writeLong(0x2001_0db8_0000_0000L)
                .writeLong(9);
        read(b);
        assertThat(names(ADDRESS)).containsExactly("www.example.com");
        assertThat(names("2001:db8::9")).containsExactly("www.example.com");
        assertThat(names("192.0.2.2")).isEmpty();
    }

    @Test
    void aliases_areFollowedInAnyOrder_andTellApart() {
        ByteBuf b = answer("www.example.com", 3);
        a(b, "edge.cdn.example", 60, ADDRESS);
        cname(b, "mid.cdn.example", "edge.cdn.example");
        cname(b, "www.example.com", "mid.cdn.example");
        read(b);
        assertThat(names(ADDRESS)).containsExactly("www.example.com", "[mid.cdn.example]", "[edge.cdn.example]");
    }

    @Test
    void recordOfAnotherName_isIgnored() {
        read(a(answer("www.example.com", 1), "victim.example", 60, ADDRESS));
        assertThat(names(ADDRESS)).isEmpty();
    }

    @Test
    void aliasThatIsAskedForItself_isAName() {
        ByteBuf b = answer("www.example.com", 2);
        cname(b, "www.example.com", "edge.cdn.example");
        read(a(b, "edge.cdn.example", 60, ADDRESS));
        read(a(answer("edge.cdn.example", 1), "edge.cdn.example", 60, ADDRESS));
        assertThat(names(ADDRESS)).containsExactly("www.example.com", "edge.cdn.example");
    }

    @Test
    void loopOfAliases_ends() {
        ByteBuf b = answer("a.example", 3);
        cname(b, "a.example", "b.example");
        cname(b, "b.example", "a.example");
        read(a(b, "b.example", 60, ADDRESS));
        assertThat(names(ADDRESS)).containsExactly("a.example", "[b.example]");
    }

    @Test
    void shortLivedName_isKeptForFiveMinutes_andAgainAfterEachUse() {
        read(a(answer("a.example", 1), "a.example", 1, ADDRESS));
        for (int i = 0; i < 5; i++) {
            pass(Duration.ofSeconds(299));
            assertThat(names(ADDRESS)).containsExactly("a.example");
        }
        pass(Duration.ofSeconds(301));
        assertThat(names(ADDRESS)).isEmpty();
    }

    @Test
    void usedName_isForgottenADayAfterItWasTold() {
        read(a(answer("a.example", 1), "a.example", 1, ADDRESS));
        for (int minute = 0; minute < 24 * 60; minute += 4) {
            assertThat(names(ADDRESS)).as("minute " + minute).hasSize(1);
            pass(Duration.ofMinutes(4));
        }
        pass(Duration.ofMinutes(1));
        assertThat(names(ADDRESS)).isEmpty();
    }

    @Test
    void longLivedName_isKeptAsLongAsItsRecord_andADayAtMost() {
        read(a(answer("a.example", 1), "a.example", 7200, ADDRESS));
        read(a(answer("b.example", 1), "b.example", Integer.MAX_VALUE, "192.0.2.2"));
        pass(Duration.ofHours(2));
        assertThat(names(ADDRESS)).hasSize(1);
        pass(Duration.ofHours(23));
        assertThat(names(ADDRESS)).isEmpty();
        assertThat(names("192.0.2.2")).isEmpty();
    }

    @Test
    void moreAddressesThanFit_driveOutTheOldest() {
        for (int i = 0; i <= ToldNames.MAX_ADDRESSES; i++) {
            told.tell(0, IpAddress.loOfV4(0x0A00_0000 + i), List.of("n" + i + ".example"), 60);
            told.tell(0, IpAddress.loOfV4(0x0B00_0000), List.of("kept.example"), 60);
        }
        assertThat(told.size()).isEqualTo(ToldNames.MAX_ADDRESSES);
        assertThat(names("10.0.0.0")).isEmpty();
        assertThat(names("10.0.0.2")).containsExactly("n2.example");
        assertThat(names("11.0.0.0")).containsExactly("kept.example");
    }

    @Test
    void moreNamesThanFit_driveOutTheOldest() {
        for (int i = 0; i < 100; i++) {
            read(a(answer("n" + i + ".example", 1), "n" + i + ".example", 60, ADDRESS));
        }
        assertThat(names(ADDRESS)).hasSize(ToldNames.MAX_NAMES).contains("n99.example");
    }

    /** Whose name it is chooses how many aliases it has, and where they lead: to somebody else's address, say. */
    @Test
    void nameWithVeryManyAliases_keepsItself_andThoseThatMatter() {
        told.matter("denied.example"::equals);
        read(a(answer("denied.example", 1), "denied.example", 60, ADDRESS));
        int aliases = 20;
        ByteBuf b = answer("a0.evil.example", aliases + 2);
        for (int i = 0; i < aliases; i++) {
            cname(b, "a" + i + ".evil.example", "a" + (i + 1) + ".evil.example");
        }
        a(b, "a3.evil.example", 60, "192.0.2.2");
        a(b, "a3.evil.example", 60, ADDRESS);
        read(b);
        assertThat(names("192.0.2.2")).hasSize(ToldNames.MAX_NAMES).contains("a0.evil.example");
        assertThat(names(ADDRESS)).hasSize(ToldNames.MAX_NAMES).contains("denied.example");
    }

    @Test
    void namesThatMatter_areDrivenOutByOthersOfThatKindOnly() {
        told.tell(0, IpAddress.loOfV4(0x0B00_0000), List.of("old.example"), 3600);
        told.matter(name -> name.startsWith("kept") || name.startsWith("old"));
        told.tell(0, IpAddress.loOfV4(0x0B00_0001), List.of("kept.example"), 3600);
        for (int i = 0; i < 2 * ToldNames.MAX_ADDRESSES; i++) {
            told.tell(0, IpAddress.loOfV4(0x0A00_0000 + i), List.of("n" + i + ".example"), 60);
            told.tell(0, IpAddress.loOfV4(0x0B00_0001), List.of("m" + i + ".example"), 60);
        }
        assertThat(told.size()).isEqualTo(ToldNames.MAX_ADDRESSES);
        assertThat(names("11.0.0.0")).containsExactly("old.example");
        assertThat(names("11.0.0.1")).hasSize(ToldNames.MAX_NAMES).contains("kept.example");

        for (int i = 0; i < 2 * ToldNames.MAX_NAMES; i++) {
            told.tell(0, IpAddress.loOfV4(0x0B00_0001), List.of("kept" + i + ".example"), 60);
            told.tell(0, IpAddress.loOfV4(0x0B00_0001), List.of("m" + i + ".example"), 60);
        }
        assertThat(names("11.0.0.1")).hasSize(ToldNames.MAX_NAMES).allMatch(n -> n.startsWith("kept"));

        for (int i = 0; i < ToldNames.MAX_ADDRESSES; i++) {
            told.tell(0, IpAddress.loOfV4(0x0C00_0000 + i), List.of("kept.example"), 60);
        }
        assertThat(told.size()).isEqualTo(ToldNames.MAX_ADDRESSES);
        assertThat(told.checkInvariants()).isTrue();
        assertThat(names("11.0.0.0")).isEmpty();
    }

    @Test
    void failure_orQuestionWithoutName_saysNothing() {
        ByteBuf b = a(answer("a.example", 1), "a.example", 60, ADDRESS);
        b.setShort(2, b.getShort(2) | DnsMessage.RCODE_NXDOMAIN);
        read(b);
        read(a(answer("", 1), "", 60, ADDRESS));
        assertThat(told.size()).isZero();
    }

    @Test
    void damagedAnswers_areRead_withoutHarm() {
        long seed = Long.getLong("seed", new Random().nextLong());
        Random random = new Random(seed);
        for (int i = 0; i < 20_000; i++) {
            ByteBuf b = answer("www.example.com", 3);
            cname(b, "www.example.com", "edge.cdn.example");
            a(b, "edge.cdn.example", 60, ADDRESS);
            a(b, "www.example.com", 60, "192.0.2.2");
            for (int n = random.nextInt(6); n >= 0; n--) {
                b.setByte(random.nextInt(b.readableBytes()), random.nextInt());
            }
            int len = random.nextInt(b.readableBytes() + 1);
            try {
                told.read(b, 0, len);
            } catch (RuntimeException e) {
                throw new AssertionError("seed " + seed + ", message " + i, e);
            }
        }
        assertThat(told.size()).isLessThanOrEqualTo(ToldNames.MAX_ADDRESSES);
    }
}
