package dev.longshore.vpnkit.dns;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.longshore.packet.wire.DnsMessage;
import dev.longshore.packet.wire.IpAddress;
import dev.longshore.testkit.FakeClock;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** Whatever a resolver answers, the names stay what they are to be. How to search: {@code ./longshore fuzz}. */
class ToldNamesFuzzTest {
    /** Input: answers, each with two length bytes before it, whose highest bits let time pass and change what matters. */
    @FuzzTest(maxDuration = "2m")
    void dnsAnswers(byte[] input) {
        FakeClock clock = new FakeClock();
        ToldNames told = new ToldNames(clock::nanos);
        ByteBuf in = Unpooled.wrappedBuffer(input);
        while (in.readableBytes() >= 2) {
            int head = in.readUnsignedShort();
            if ((head & 0x8000) != 0) {
                clock.sleep(4, TimeUnit.MINUTES);
            }
            if ((head & 0x4000) != 0) {
                told.matter(name -> name.length() % 2 == 0);
            }
            ByteBuf answer = in.readSlice(Math.min(head & 0x3FFF, in.readableBytes()));
            told.read(answer, answer.readerIndex(), answer.readableBytes());
            told.checkInvariants();
            check(told, answer);
        }
    }

    /** What the answer says of an address is known under the name that was asked for, and nothing else is. */
    private static void check(ToldNames told, ByteBuf b) {
        if (!DnsMessage.isValid(b, 0, b.readableBytes()) || DnsMessage.questions(b, 0) != 1) {
            return;
        }
        String asked = DnsMessage.name(b, 0, b.readableBytes(), DnsMessage.HEADER_BYTES);
        for (int at = DnsMessage.HEADER_BYTES; at + 4 <= b.readableBytes(); at++) {
            List<String> names = new ArrayList<>();
            List<String> askedFor = new ArrayList<>();
            told.namesOf(0, IpAddress.loOfV4(b.getInt(at)), (name, isAsked, _) -> {
                if (isAsked) {
                    askedFor.add(name);
                }
                return names.add(name);
            });
            assertThat(names).hasSizeLessThanOrEqualTo(ToldNames.MAX_NAMES).doesNotHaveDuplicates();
            assertThat(names).allMatch(n -> n.chars().allMatch(c -> c > ' ' && c < 0x7F && (c < 'A' || c > 'Z')));
            assertThat(names).noneMatch(String::isEmpty);
            if (told.size() == 1 && !names.isEmpty() && asked != null && DnsMessage.rcode(b, 0) == 0) {
                assertThat(askedFor).isNotEmpty();
            }
        }
    }
}
