package dev.longshore.proxy.pac;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.proxy.route.Hop;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PacReplyTest {
    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            DIRECT                                      | [DIRECT]
            PROXY a.example:8080                        | [http://a.example:8080]
            proxy A.example:8080 ; direct               | [http://a.example:8080, DIRECT]
            HTTP a:1; HTTPS b:2; SOCKS c:3; SOCKS4 d:4; SOCKS5 e:5 | [http://a:1, https://b:2, socks5://c:3, socks4://c:3, socks4://d:4, socks5://e:5]
            PROXY a                                     | [http://a:80]
            HTTPS a                                     | [https://a:443]
            PROXY [2001:db8::1]:8080                    | [http://[2001:db8::1]:8080]
            ;;PROXY  a:1 ;; DIRECT ;                    | [http://a:1, DIRECT]
            FTP a:1; QUIC b:2; PROXY c:3                | [http://c:3]
            PROXY; PROXY a:0; PROXY a:b; PROXY a:1:2; PROXY a:1 b; DIRECT | [DIRECT]
            PROXY user:pw@a:1                           | []
            PROXY reject.docker.internal:1234           | [blocked: the proxy script says reject.docker.internal]
            PROXY a:1; PROXY Reject.Docker.Internal:9; DIRECT | [http://a:1, blocked: the proxy script says reject.docker.internal]
            PROXY blackhole.invalid:3128; DIRECT        | [blocked: the proxy script says blackhole.invalid]
            PROXY invalid.example:1                     | [http://invalid.example:1]
            nonsense                                    | []
            DIRECTLY                                    | []
            """)
    void reply_isRead(String text, String hops) {
        assertThat(PacReply.parse(text)).hasToString(hops);
    }

    @Test
    void nothing_isNoWay() {
        assertThat(PacReply.parse("")).isEmpty();
        assertThat(PacReply.parse(" ; ")).isEmpty();
    }

    @Test
    void manyHops_areCut() {
        assertThat(PacReply.parse("PROXY a:1;".repeat(1000))).hasSize(32).allMatch(Hop.Through.class::isInstance);
    }

    @Test
    void shown_isOneShortLineWithoutUsers() {
        assertThat(PacReply.shown("PROXY bob:secret@a:1\nDIRECT\u001b[31m\u202e"))
                .isEqualTo("PROXY xxxxx@a:1 DIRECT [31m");
        assertThat(PacReply.shown("x".repeat(500))).hasSize(201).endsWith("…");
    }
}
