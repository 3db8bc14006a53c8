package dev.longshore.policy;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.longshore.config.EgressPolicy;
import dev.longshore.config.EgressPolicy.Protocol;
import dev.longshore.packet.wire.IpAddress;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;

/** Any text as a policy, and what it decides. How to search: {@code ./longshore fuzz}. */
class PolicyFuzzTest {
    /**
     * Input: a policy as JSON, a line feed, then lines with a name, an address, a port and a container each, apart by blanks. What is
     * accepted reads the same when it has been written, and both ways of deciding agree.
     */
    @FuzzTest(maxDuration = "2m")
    void anyPolicy(byte[] input) {
        String[] lines = new String(input, StandardCharsets.UTF_8).split("\n", 20);
        EgressPolicy policy = Policies.acceptable(lines[0]);
        if (policy == null) {
            return;
        }
        assertThat(Policies.acceptable(policy.toJson())).isEqualTo(policy);
        CompiledPolicy compiled = new CompiledPolicy(policy);
        Facts facts = new Facts();
        for (int i = 1; i < lines.length; i++) {
            for (Attempt attempt : attempts(lines[i])) {
                int decision = compiled.decide(facts.of(attempt));
                assertThat(decision).isNotEqualTo(CompiledPolicy.UNDECIDED);
                Explanation explained = Interpreter.explain(policy, attempt);
                if (policy.mode() != EgressPolicy.Mode.OFF) {
                    assertThat(compiled.action(decision)).isEqualTo(explained.action());
                }
                attempt.asked()
                        .forEach(name -> assertThat(mentions(policy, name)).isEqualTo(compiled.mentions(name)));
            }
        }
    }

    private static boolean mentions(EgressPolicy policy, String name) {
        return policy.rules().stream()
                .flatMap(r -> r.to().stream())
                .anyMatch(to -> to instanceof EgressPolicy.To.Name n
                        && (n.below() ? name.endsWith("." + n.name()) : name.equals(n.name())));
    }

    private static List<Attempt> attempts(String line) {
        String[] words = line.split(" ", 4);
        List<Attempt> all = new ArrayList<>();
        if (words.length == 4 && words[2].matches("[1-9][0-9]{0,3}")) {
            IpAddress address;
            try {
                address = IpAddress.parse(words[1]);
            } catch (IllegalArgumentException e) {
                return all;
            }
            Who who = new Who.Container(Policies.container(words[3], words[3], words[3], null, words[3]));
            for (Who w : List.of(who, Who.GUEST, new Who.Unknown(address))) {
                for (Protocol p : Protocol.values()) {
                    int port = p == Protocol.ICMP ? 0 : Integer.parseInt(words[2]);
                    all.add(new Attempt(w, p, address, false, List.of(words[0]), List.of("cdn." + words[0]), port));
                }
            }
        }
        return all;
    }

    /** Input: a pattern and a text, with a line feed between them. */
    @FuzzTest(maxDuration = "2m")
    void globs(byte[] input) {
        String[] parts = new String(input, StandardCharsets.ISO_8859_1).split("\n", 2);
        if (parts.length < 2 || parts[0].length() > 12 || parts[1].length() > 40) {
            return; // the reference needs exponential time
        }
        StringBuilder regex = new StringBuilder();
        parts[0].chars().forEach(c -> regex.append(c == '*' ? ".*" : c == '?' ? "." : Pattern.quote("" + (char) c)));
        boolean fits = Pattern.compile(regex.toString(), Pattern.DOTALL)
                .matcher(parts[1])
                .matches();
        assertThat(Glob.fits(parts[0], parts[1])).isEqualTo(fits);
        assertThat(Glob.fitsImage(parts[0], parts[1]) || !fits).isTrue();
    }

    /** Never a container that was given something by halves: an image's pattern without a tag fits all its tags. */
    @FuzzTest(maxDuration = "1m")
    void images(byte[] input) {
        String image = new String(input, StandardCharsets.US_ASCII);
        for (String tag : Set.of(":1", ":1@sha256:0", "@sha256:0")) {
            int name = image.lastIndexOf('/') + 1;
            boolean plain = image.indexOf(':', name) < 0 && image.indexOf('@', name) < 0;
            if (plain && image.indexOf('*') < 0 && image.indexOf('?') < 0) {
                assertThat(Glob.fitsImage(image, image + tag)).isTrue();
            }
        }
    }
}
