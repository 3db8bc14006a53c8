package dev.longshore.it;

import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** What {@code dig} says of an answer, as far as two name servers are to agree on it. */
record Dig(String text) {
    private static final Pattern HEADER = Pattern.compile("opcode: (\\S+), status: (\\S+), id: \\d+");
    private static final Pattern FLAGS = Pattern.compile("(?m)^;; flags: ([a-z ]*);");
    private static final Pattern SECTION = Pattern.compile("(?s);; (ANSWER|AUTHORITY) SECTION:\\n(.*?)\\n\\n");

    static Dig of(Command command) {
        return new Dig(command.run().out());
    }

    String status() {
        Matcher m = HEADER.matcher(text);
        return m.find() ? m.group(2) : "no answer: " + text;
    }

    String opcode() {
        Matcher m = HEADER.matcher(text);
        return m.find() ? m.group(1) : "";
    }

    /** In dig's words. */
    List<String> flags() {
        Matcher m = FLAGS.matcher(text);
        return m.find() ? List.of(m.group(1).strip().split(" +")) : List.of();
    }

    boolean hasOpt() {
        return text.contains("; EDNS: version: 0");
    }

    /** Records of a section, sorted, without their time to live. */
    List<String> records(String section) {
        Matcher m = SECTION.matcher(text);
        List<String> all = new ArrayList<>();
        while (m.find()) {
            if (m.group(1).equals(section)) {
                for (String line : m.group(2).lines().toList()) {
                    all.add(line.replaceFirst("^(\\S+)\\s+\\d+\\s+", "$1 ").replaceAll("\\s+", " "));
                }
            }
        }
        return List.copyOf(new TreeSet<>(all));
    }

    /** All of it that has to be the same wherever one asks: aa differs by who was asked, ad and cd are not set here. */
    String essence() {
        List<String> flags = new ArrayList<>(flags());
        flags.remove("aa");
        return status() + " " + flags + " " + records("ANSWER");
    }
}
