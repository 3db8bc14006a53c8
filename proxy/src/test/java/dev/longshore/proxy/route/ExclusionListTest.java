package dev.longshore.proxy.route;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.packet.wire.IpAddress;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.SplittableRandom;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ExclusionListTest {
    /** Entry, host, port, and whether it fits: what Go, curl, macOS and Docker's documents say of it. */
    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            *                 | anything.example     | 443  | true
            example.com       | example.com          | 443  | true
            example.com       | www.example.com      | 443  | true
            example.com       | badexample.com       | 443  | false
            example.com       | example.com.evil     | 443  | false
            example.com       | com                  | 443  | false
            EXAMPLE.com.      | www.Example.COM.     | 443  | true
            .example.com      | www.example.com      | 443  | true
            .example.com      | example.com          | 443  | false
            *.example.com     | a.b.example.com      | 443  | true
            *.example.com     | example.com          | 443  | false
            *.example.com     | badexample.com       | 443  | false
            *.docker.com      | registry.docker.com  | 443  | true
            registry-1.docker.io | registry-1.docker.io | 443 | true
            registry-1.docker.io | registry-2.docker.io | 443 | false
            *.local           | printer.local        | 80   | true
            db-*.corp         | db-1.corp            | 5432 | true
            db-*.corp         | db-1.eu.corp         | 5432 | true
            db-*.corp         | web.corp             | 5432 | false
            10.*              | 10.1.2.3             | 80   | true
            10.*              | 110.1.2.3            | 80   | false
            10.*              | 10.example           | 80   | true
            10.0.0.0/8        | 10.255.0.1           | 80   | true
            10.0.0.0/8        | 11.0.0.1             | 80   | false
            10.0.0.0/8        | ten.example          | 80   | false
            10.1.2.3/8        | 10.255.0.1           | 80   | true
            169.254/16        | 169.254.169.254      | 80   | true
            0.0.0.0/0         | 192.0.2.1            | 80   | true
            0.0.0.0/0         | 2001:db8::1          | 80   | false
            ::/0              | 2001:db8::1          | 80   | true
            fd00::/8          | fd12:3456::1         | 80   | true
            fd00::/8          | fe80::1              | 80   | false
            192.0.2.1         | 192.0.2.1            | 80   | true
            192.0.2.1         | 192.0.2.10           | 80   | false
            192.0.2.1         | 1.192.0.2.1          | 80   | false
            192.0.2.1         | ::ffff:192.0.2.1     | 80   | true
            2001:DB8:0::1     | 2001:db8::1          | 80   | true
            [2001:db8::1]     | 2001:db8::1          | 80   | true
            [2001:db8::1]:8080| 2001:db8::1          | 8080 | true
            [2001:db8::1]:8080| 2001:db8::1          | 80   | false
            192.0.2.1:8080    | 192.0.2.1            | 8080 | true
            192.0.2.1:8080    | 192.0.2.1            | 80   | false
            example.com:8080  | www.example.com      | 8080 | true
            example.com:8080  | www.example.com      | 443  | false
            *.corp:443        | a.corp               | 443  | true
            *.corp:443        | a.corp               | 80   | false
            <local>           | intranet             | 80   | true
            <LOCAL>           | intranet.            | 80   | true
            <local>           | intra.net            | 80   | false
            <local>           | 2001:db8::1          | 80   | false
            intranet          | intranet             | 80   | true
            bücher.example    | xn--bcher-kva.example| 80   | true
            """)
    void entry_fits(String entry, String host, int port, boolean fits) {
        ExclusionList list = ExclusionList.parse(entry);
        assertThat(list.ignored()).isEmpty();
        assertThat(list.match(host, null, port)).isEqualTo(fits ? entry : null);
    }

    @Test
    void addressOfAName_countsWhereItIsKnown() {
        ExclusionList list = ExclusionList.parse("10.0.0.0/8, 192.168.*");
        assertThat(list.match("a.example", null, 80)).isNull();
        assertThat(list.match("a.example", IpAddress.parse("10.0.0.1"), 80)).isEqualTo("10.0.0.0/8");
        assertThat(list.match("a.example", IpAddress.parse("192.168.1.1"), 80)).isEqualTo("192.168.*");
    }

    @Test
    void entries_areSeparatedByCommasAndBlanks_firstOneIsTold() {
        ExclusionList list = ExclusionList.parse(" a.example,,b.example\t*.example\n");
        assertThat(list.entries()).containsExactly("a.example", "b.example", "*.example");
        assertThat(list.match("x.b.example", null, 1)).isEqualTo("b.example");
        assertThat(list).hasToString("a.example,b.example,*.example");
    }

    @Test
    void whatMeansNothing_isIgnoredAndTold() {
        ExclusionList list = ExclusionList.parse(
                "10.0.0.0/33,10.0.0.0/x,1.2.3.999,a:0,a:99999,a:b:c:d,[::1,[x],.,..x,fd00::/129,good.example,:80");
        assertThat(list.entries()).containsExactly("good.example");
        assertThat(list.ignored()).hasSize(12);
        assertThat(list.match("a", null, 80)).isNull();
    }

    @Test
    void longList_isCut() {
        assertThat(ExclusionList.parse("a,".repeat(ExclusionList.MAX_ENTRIES + 5))
                        .entries())
                .hasSize(ExclusionList.MAX_ENTRIES);
    }

    // ---- against another, naive reading of the same rules

    @Test
    void anyListAndHost_fitAsInTheNaiveReading() {
        for (long seed = 1; seed <= 20_000; seed++) {
            SplittableRandom random = new SplittableRandom(seed);
            List<String> entries = new ArrayList<>();
            for (int i = random.nextInt(4); i >= 0; i--) {
                entries.add(entry(random));
            }
            String host = host(random);
            int port = random.nextInt(1, 4);
            String expected = entries.stream()
                    .filter(e -> naive(e, host, port))
                    .findFirst()
                    .orElse(null);
            assertThat(ExclusionList.parse(String.join(random.nextBoolean() ? "," : " ", entries))
                            .match(host, null, port))
                    .as("seed %d: %s in %s, port %d", seed, host, entries, port)
                    .isEqualTo(expected);
        }
    }

    private static String name(SplittableRandom random) {
        StringBuilder name = new StringBuilder();
        for (int i = random.nextInt(3); i >= 0; i--) {
            name.append(random.nextBoolean() ? "a" : "bA").append(i == 0 ? "" : ".");
        }
        return name.toString();
    }

    private static String host(SplittableRandom random) {
        return switch (random.nextInt(4)) {
            case 0 -> v4(random);
            case 1 -> v6(random);
            default -> name(random) + (random.nextInt(5) == 0 ? "." : "");
        };
    }

    private static String v4(SplittableRandom random) {
        return "10." + random.nextInt(2) + "." + random.nextInt(2) + "." + random.nextInt(4);
    }

    private static String v6(SplittableRandom random) {
        return "fd00::" + random.nextInt(2) + ":" + random.nextInt(4);
    }

    private static String entry(SplittableRandom random) {
        String port = random.nextInt(4) == 0 ? ":" + random.nextInt(1, 4) : "";
        return switch (random.nextInt(10)) {
            case 0 -> v4(random) + port;
            case 1 -> "[" + v6(random) + "]" + port;
            case 2 -> v4(random) + "/" + random.nextInt(33);
            case 3 -> v6(random) + "/" + random.nextInt(100, 129);
            case 4 -> "." + name(random) + port;
            case 5 -> "*." + name(random) + port;
            case 6 -> name(random) + "*" + name(random) + port;
            case 7 -> random.nextInt(5) == 0 ? "*" + port : "<local>";
            default -> name(random) + port;
        };
    }

    private static boolean naive(String entry, String hostText, int port) {
        String e = entry.toLowerCase(Locale.ROOT);
        String host = hostText.toLowerCase(Locale.ROOT).replaceFirst("\\.$", "");
        boolean isAddress = host.contains(":") || host.matches("[0-9.]+");
        if (e.equals("<local>")) {
            return !host.contains(".") && !host.contains(":");
        }
        if (e.contains("/")) {
            String[] parts = e.split("/", 2);
            BigInteger network = bits(parts[0]);
            BigInteger address = isAddress ? bits(host) : null;
            boolean sameFamily = parts[0].contains(":") == host.contains(":");
            int width = parts[0].contains(":") ? 128 : 32;
            int low = width - Integer.parseInt(parts[1]);
            return address != null && sameFamily && address.shiftRight(low).equals(network.shiftRight(low));
        }
        if (e.matches(".*[^:]:[0-9]+") && (e.startsWith("[") ? e.contains("]:") : true)) {
            if (!e.endsWith(":" + port)) {
                return false;
            }
            e = e.substring(0, e.lastIndexOf(':'));
        }
        if (e.startsWith("[")) {
            return host.contains(":") && bits(e.substring(1, e.length() - 1)).equals(bits(host));
        }
        if (e.matches("[0-9.]+")) {
            return e.equals(host);
        }
        if (e.equals("*")) {
            return true;
        }
        if (e.startsWith("*.") || e.startsWith(".")) {
            return host.endsWith(e.substring(e.indexOf('.')));
        }
        if (e.contains("*")) {
            return Pattern.matches(Pattern.quote(e).replace("*", "\\E.*\\Q"), host);
        }
        return host.equals(e) || host.endsWith("." + e);
    }

    private static BigInteger bits(@Nullable String literal) {
        return new BigInteger(
                1, IpAddress.parse(String.valueOf(literal)).toInetAddress().getAddress());
    }

    /** An entry is compared with a pattern that takes the cube of its length. */
    @Test
    @Timeout(60)
    void endlessEntry_meansNothing() {
        ExclusionList list = ExclusionList.parse(":".repeat(20_000) + "g ok.test");
        assertThat(list.entries()).containsExactly("ok.test");
        assertThat(list.match(":".repeat(20_000) + "g", null, 80)).isNull();
    }
}
