package dev.longshore.cli.diagnose;

import java.util.List;
import java.util.regex.Pattern;

/**
 * Takes secrets out of text. Nothing of ours writes any; but a bundle is given to strangers, and the guest's console has what
 * the guest's programs print. So no text may make this slow or deep: what is repeated is bounded, and never a group.
 */
public final class Redaction {
    private static final String HIDDEN = "***";

    private record Rule(Pattern pattern, String replacement) {}

    private static final List<Rule> RULES = List.of(
            new Rule(Pattern.compile("(\\w://)[^\\s/@'\"]+@"), "$1" + HIDDEN + "@"),
            new Rule(
                    Pattern.compile(
                            "(?i)((?:proxy-)?authorization|x-registry-auth|set-cookie|cookie)(\"?\\s*[:=]\\s*).*"),
                    "$1$2" + HIDDEN),
            new Rule(
                    Pattern.compile(
                            "(?i)([\\w-]{0,64}(?:password|passwd|secret|token|api[_-]?key|credential)[\\w-]{0,64})"
                                    + "(\"?\\s*[:=]\\s*)(\"[^\"]*\"|\\S+)"),
                    "$1$2" + HIDDEN),
            new Rule(
                    Pattern.compile(
                            "-----BEGIN [A-Z ]*PRIVATE KEY-----[\\s\\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\\z)"),
                    HIDDEN));

    private Redaction() {}

    public static String of(String text) {
        String clean = text;
        for (Rule rule : RULES) {
            clean = rule.pattern.matcher(clean).replaceAll(rule.replacement);
        }
        return clean;
    }
}
