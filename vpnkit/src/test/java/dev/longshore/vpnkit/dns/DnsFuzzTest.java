package dev.longshore.vpnkit.dns;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.longshore.packet.wire.DnsMessage;
import dev.longshore.packet.wire.DnsRecord;
import dev.longshore.vpnkit.count.Counters;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.buffer.UnpooledByteBufAllocator;
import java.net.InetSocketAddress;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** Whatever guests ask and resolvers answer: what leaves is well formed, and nothing throws. How to search: {@code ./longshore fuzz}. */
class DnsFuzzTest {
    private static final UnpooledByteBufAllocator ALLOCATOR = UnpooledByteBufAllocator.DEFAULT;

    /** Input: length of a query, the query, a resolver's message. */
    @FuzzTest(maxDuration = "2m")
    void queryAndAnswer(byte[] input) {
        if (input.length < 1) {
            return;
        }
        int split = Math.min(input.length, 1 + (input[0] & 0xFF));
        ByteBuf query = Unpooled.copiedBuffer(input, 1, split - 1);
        ByteBuf m = Unpooled.copiedBuffer(input, split, input.length - split);
        DnsQuestion q = question(query, (input[0] & 1) != 0);
        DnsLayout layout = new DnsLayout();
        if (q == null) {
            return;
        }
        isWellFormed(DnsReply.error(ALLOCATOR, q, DnsMessage.RCODE_BADVERS, DnsReply.FILTERED), q);
        assertThat(DnsText.name(q.bytes, q.nameBytes())).isNotEmpty();
        if (!layout.read(m)) {
            return;
        }
        isWellFormed(DnsReply.relay(ALLOCATOR, q, m, layout, DnsReply.NONE), q);
        DnsText.answers(m, 100);
        for (int type : new int[] {DnsMessage.TYPE_A, DnsMessage.TYPE_AAAA}) {
            strip(q, m, type);
        }
        keep(q, m);
    }

    private static @Nullable DnsQuestion question(ByteBuf query, boolean tcp) {
        int len = query.readableBytes();
        return DnsMessage.isValid(query, 0, len) ? DnsQuestion.read(query, 0, len, tcp) : null;
    }

    private static void strip(DnsQuestion q, ByteBuf m, int type) {
        FamilyStripper stripper = new FamilyStripper();
        if (DnsMessage.questions(m, 0) != 1 || stripper.strip(ALLOCATOR, q, m, type) != FamilyStripper.Result.CHANGED) {
            return;
        }
        ByteBuf stripped = stripper.take();
        DnsLayout layout = new DnsLayout();
        assertThat(layout.read(stripped)).isTrue();
        int i = layout.recordsAt;
        for (int n = DnsMessage.records(stripped, 0); n > 0; n--) {
            int afterName = DnsMessage.skipName(stripped, 0, layout.end, i);
            boolean internet = DnsRecord.dnsClass(stripped, afterName) == DnsMessage.CLASS_IN;
            assertThat(internet && DnsRecord.type(stripped, afterName) == type).isFalse();
            i = DnsMessage.skipRecord(stripped, 0, layout.end, i);
        }
        isWellFormed(DnsReply.relay(ALLOCATOR, q, stripped, layout, DnsReply.FILTERED), q);
        stripped.release();
    }

    private static void keep(DnsQuestion q, ByteBuf m) {
        DnsCache cache = new DnsCache(new Counters<>(DnsCounter.class));
        DnsLayout layout = new DnsLayout();
        if (!layout.read(m)) {
            return;
        }
        cache.put(q, m, layout, ToldNames.telling(m, 0, m.writerIndex()), false, "", 5);
        DnsCache.Entry kept = cache.find(q, 5 + TimeUnit.SECONDS.toNanos(1));
        if (kept != null) {
            isWellFormed(kept.write(ALLOCATOR, q, 5 + TimeUnit.SECONDS.toNanos(1)), q);
        }
        cache.clear();
        assertThat(cache.bytes()).isZero();
    }

    /** Releases it. */
    private static void isWellFormed(ByteBuf b, DnsQuestion q) {
        assertThat(b.readableBytes()).isLessThanOrEqualTo(q.limit);
        assertThat(DnsMessage.id(b, 0)).isEqualTo(q.id);
        assertThat(DnsMessage.questions(b, 0) == 1 || q.signed).isTrue();
        assertThat(new DnsLayout().read(b) || q.signed).isTrue();
        b.release();
    }

    /** A hosts file, and names that may be reverse ones. */
    @FuzzTest(maxDuration = "1m")
    void hosts(byte[] input) {
        String text = new String(input, java.nio.charset.StandardCharsets.ISO_8859_1);
        HostsFile.Table table = HostsFile.parse(text.lines().toList(), new NameTable.Place(1, null));
        assertThat(table.byName().keySet()).noneMatch(String::isEmpty);
        HostsFile.reverse(text);
    }

    /** A resolv.conf. */
    @FuzzTest(maxDuration = "1m")
    void resolvConf(byte[] input) {
        List<String> lines = new String(input, java.nio.charset.StandardCharsets.UTF_8)
                .lines()
                .toList();
        assertThat(Resolvers.parse(lines)).hasSizeLessThanOrEqualTo(8).noneMatch(InetSocketAddress::isUnresolved);
        assertThat(String.join(".", Resolvers.parseSearch(lines))).hasSizeLessThanOrEqualTo(256);
    }
}
