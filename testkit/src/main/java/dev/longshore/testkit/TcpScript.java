package dev.longshore.testkit;

import dev.longshore.packet.wire.TcpHeader;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Runs one TCP connection from a text, in virtual time, in the manner of packetdrill: what the guest sends, what it must
 * receive, what the host does and when. Anything received that the text does not name fails the test.
 *
 * <pre>
 * 0.000 guest> S 0:0 win 64240 &lt;mss 1460,sackOK,ts 100 0,wscale 7>
 *       host connects
 *       gw> S. 0:0 ack 1 &lt;mss 1460,sackOK,ts 0 100,wscale 8>
 * 0.010 guest> . 1:1 ack 1 win 502 &lt;ts 110 0>
 *       host sends 1000
 *       gw> P. 1:1001 ack 1
 * </pre>
 *
 * <ul>
 *   <li>A line may begin with the time in seconds since the script's start; without, it is the time of the line before.
 *   <li>Numbers are relative: sequence numbers and SACK blocks of each side to its SYN, our timestamps to our first one.
 *   <li>Flags: {@code S F R P U} and {@code .} for ACK; PSH is looked at only where the line has it. {@code win} is the field as
 *       it is on the wire, or {@code win >=n}; window and options are looked at only where the line has them.
 *   <li>Text is {@link #pattern} of its position, in both directions, and is checked wherever it arrives.
 *   <li>{@code host …} goes to the test; {@code #} begins a comment.
 * </ul>
 *
 * Confined to the test's thread.
 */
public final class TcpScript {
    /** What the script's {@code host} lines mean. */
    public interface Host {
        /** One line, split into words, without the first. */
        void does(String... words);
    }

    private static final Pattern LINE = Pattern.compile("(?:(\\d+\\.\\d+)\\s+)?(.*)");
    private static final Pattern SEGMENT =
            Pattern.compile("([SFRPU.]+) (\\d+):(\\d+)(?: ack (\\d+))?(?: win (>=)?(\\d+))?(?: <(.*)>)?\\s*");
    private static final String FLAGS = "FSRP.U";

    private final VirtualLoop loop;
    private final TcpGuest guest;
    private final Host host;
    private final int guestIss;
    private long elapsedNanos;
    private boolean gwKnown;
    private int gwIss;
    private boolean gwStampsKnown;
    private int gwFirstStamp;

    /** {@code guestIss}: the guest's initial sequence number. */
    public TcpScript(VirtualLoop loop, TcpGuest guest, int guestIss, Host host) {
        this.loop = loop;
        this.guest = guest;
        this.guestIss = guestIss;
        this.host = host;
    }

    /** {@code length} bytes of text, the first of which has the relative sequence number {@code position}. */
    public static byte[] pattern(int position, int length) {
        byte[] text = new byte[length];
        for (int i = 0; i < length; i++) {
            int p = position + i;
            text[i] = (byte) (p * 31 + (p >>> 8));
        }
        return text;
    }

    /** Runs all lines; at the end nothing may be left unread. */
    public void run(String script) {
        int number = 0;
        for (String line : script.lines().toList()) {
            number++;
            int comment = line.indexOf('#');
            String words = (comment < 0 ? line : line.substring(0, comment)).strip();
            if (!words.isEmpty()) {
                try {
                    step(words);
                } catch (AssertionError e) {
                    throw new AssertionError("line " + number + ": " + line.strip() + ": " + e.getMessage(), e);
                }
            }
        }
        loop.runDue();
        guest.receivesNothing();
    }

    private void step(String line) {
        Matcher m = LINE.matcher(line);
        if (!m.matches()) {
            throw new IllegalArgumentException(line);
        }
        if (m.group(1) != null) {
            advanceTo(Math.round(Double.parseDouble(m.group(1)) * 1e9));
        }
        String what = m.group(2);
        if (what.startsWith("guest>")) {
            sends(segment(what.substring(6).strip()));
        } else if (what.startsWith("gw>")) {
            receives(segment(what.substring(3).strip()));
        } else if (what.startsWith("host ")) {
            host.does(what.substring(5).split(" +", -1));
            loop.runDue();
        } else if (!what.isEmpty()) {
            throw new IllegalArgumentException(line);
        }
    }

    private void advanceTo(long nanos) {
        if (nanos > elapsedNanos) {
            guest.receivesNothing();
            loop.advance(Duration.ofNanos(nanos - elapsedNanos));
            elapsedNanos = nanos;
        }
    }

    private Matcher segment(String text) {
        Matcher m = SEGMENT.matcher(text);
        if (!m.matches()) {
            throw new IllegalArgumentException("no segment: " + text);
        }
        return m;
    }

    private static int flags(String names) {
        int flags = 0;
        for (int i = 0; i < names.length(); i++) {
            flags |= 1 << FLAGS.indexOf(names.charAt(i));
        }
        return flags;
    }

    private static int number(String text) {
        return Integer.parseUnsignedInt(text);
    }

    private void sends(Matcher m) {
        int from = number(m.group(2));
        int ack = m.group(4) == null ? 0 : gwIss + number(m.group(4));
        if (m.group(6) != null) {
            guest.window(number(m.group(6)));
        }
        TcpGuestOptions options = options(m.group(7), gwIss, 0, gwFirstStamp);
        guest.sends(flags(m.group(1)), guestIss + from, ack, options, pattern(from, number(m.group(3)) - from));
        loop.runDue();
    }

    private TcpGuestOptions options(String text, int sackBase, int valBase, int ecrBase) {
        TcpGuestOptions options = TcpGuestOptions.NONE;
        for (String option : text == null || text.isBlank() ? new String[0] : text.split(",", -1)) {
            String[] w = option.strip().split(" +", -1);
            options = switch (w[0]) {
                case "mss" -> options.withMss(number(w[1]));
                case "wscale" -> options.withWindowScale(number(w[1]));
                case "sackOK" -> options.withSackPermitted();
                case "ts" -> options.withTimestamps(valBase + number(w[1]), ecrBase + number(w[2]));
                case "sack" -> options.withSack(blocks(w, sackBase));
                default -> throw new IllegalArgumentException("option " + option);
            };
        }
        return options;
    }

    private static List<TcpGuestOptions.Block> blocks(String[] words, int base) {
        List<TcpGuestOptions.Block> blocks = new ArrayList<>();
        for (int i = 1; i < words.length; i++) {
            String[] edges = words[i].split(":", 2);
            blocks.add(new TcpGuestOptions.Block(base + number(edges[0]), base + number(edges[1])));
        }
        return blocks;
    }

    private void receives(Matcher m) {
        TcpGuest.Segment s = guest.receives();
        if (!gwKnown && s.has(TcpHeader.SYN)) {
            gwKnown = true;
            gwIss = s.seq();
        }
        if (!gwStampsKnown && s.options().timestamps()) {
            gwStampsKnown = true;
            gwFirstStamp = s.options().tsVal();
        }
        int wanted = flags(m.group(1));
        int looked = (wanted & TcpHeader.PSH) != 0 ? ~0 : ~TcpHeader.PSH;
        int from = number(m.group(2));
        int length = number(m.group(3)) - from;
        check((s.flags() & looked) == wanted, "flags", s);
        check(s.seq() == gwIss + from, "sequence number", s);
        check(s.text().length() == length, "length", s);
        check(s.has(TcpHeader.SYN) || s.text().equals(latin1(pattern(from, length))), "text", s);
        check(m.group(4) == null || s.ack() == guestIss + number(m.group(4)), "acknowledgment", s);
        if (m.group(6) != null) {
            int window = number(m.group(6));
            check(m.group(5) != null ? s.window() >= window : s.window() == window, "window", s);
        }
        if (m.group(7) != null) {
            check(s.options().equals(options(m.group(7), guestIss, gwFirstStamp, 0)), "options", s);
        }
    }

    private static String latin1(byte[] bytes) {
        return new String(bytes, java.nio.charset.StandardCharsets.ISO_8859_1);
    }

    private void check(boolean holds, String what, TcpGuest.Segment s) {
        if (!holds) {
            throw new AssertionError(
                    what + " differs: received " + s + ", which is seq +" + (s.seq() - gwIss) + " ack +"
                            + (s.ack() - guestIss) + " ts +" + (s.options().tsVal() - gwFirstStamp) + " at "
                            + elapsedNanos / 1_000_000 + " ms");
        }
    }
}
