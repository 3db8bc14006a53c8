package dev.longshore.vpnkit.dns;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.packet.wire.DnsMessage;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.util.HashSet;
import java.util.Objects;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** Questions as keys of tables. */
class DnsQuestionTest {
    static DnsQuestion question(String name, int type) {
        ByteBuf b = Unpooled.buffer();
        DnsMessage.writeQueryHeader(b, 1);
        DnsMessage.writeQuestion(b, name, type);
        return Objects.requireNonNull(DnsQuestion.read(b, 0, b.readableBytes(), false));
    }

    /** "az" and "b[" are the same to a hash that multiplies by 31: of twelve such pairs, 4096 names in one place. */
    @Test
    void namesThatAreMadeToMeet_doNot() {
        Set<Integer> hashes = new HashSet<>();
        for (int n = 0; n < 4096; n++) {
            StringBuilder name = new StringBuilder();
            for (int bit = 0; bit < 12; bit++) {
                name.append((n >>> bit & 1) == 0 ? "az" : "b[");
            }
            hashes.add(question(name + ".test", DnsMessage.TYPE_A).hash());
        }
        assertThat(hashes).hasSizeGreaterThan(4000);
    }

    @Test
    void capitals_makeNoOtherQuestion() {
        DnsQuestion small = question("example.test", DnsMessage.TYPE_A);
        DnsQuestion capitals = question("EXAMPLE.Test", DnsMessage.TYPE_A);
        assertThat(capitals.hash()).isEqualTo(small.hash());
        assertThat(capitals).isEqualTo(small).isNotEqualTo(question("example.test", DnsMessage.TYPE_AAAA));
    }
}
