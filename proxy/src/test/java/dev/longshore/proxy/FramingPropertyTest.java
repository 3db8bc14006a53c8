package dev.longshore.proxy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;

import dev.longshore.proxy.StrictReading.End;
import dev.longshore.testkit.ScriptedChannel;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/**
 * Valid requests whose framing is damaged at random, and an origin that waits for whole messages before it answers. What the client
 * sent and what the origin got are both read by {@link StrictReading}: they must be the same messages, and what it refuses must be refused.
 */
class FramingPropertyTest {
    private static final int CASES = 20_000;

    /** Inside of bodies, and in place of them where the framing is misread: what an attacker wants to be seen as a request. */
    private static final String SMUGGLED = "GET http://a.test/smuggled HTTP/1.1\r\nHost: a.test\r\n\r\n";

    private static final String[] GRAFTS = {
        "\r\n",
        "\n",
        "\r",
        " ",
        "\t",
        "\0",
        "\u000b",
        ":",
        ",",
        ";",
        "+",
        "-",
        "0",
        "1",
        "0x",
        "\u00b2",
        "\u00a0",
        "_",
        "chunked",
        "identity",
        ", ",
        "\r\n ",
        "\r\n\r\n",
        "\"",
        "0\r\n\r\n",
        "Content-Length: 3\r\n",
        "Transfer-Encoding: chunked\r\n",
        "X"
    };

    private static final String[] FRAMINGS = {
        "Transfer-Encoding: chunked",
        "Transfer-Encoding: identity",
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding:chunked",
        "transfer-encoding: CHUNKED\t",
        "Transfer-Encoding : chunked",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding:\u000bchunked",
        "Transfer-Encoding: \"chunked\"",
        "Content-Length: 0",
        "Content-Length: 5",
        "Content-Length: +5",
        "Content-Length: 5, 5",
        "Content-Length: 05",
        "Content-Length:",
        "Content-Length: 0x5",
        " Content-Length: 5",
        "Content Length: 5"
    };

    @Test
    void damagedFraming_isRefused_orReadTheSameByTheOrigin() {
        long seed = 20_261_127;
        Random random = new Random(seed);
        int refused = 0;
        int forwarded = 0;
        for (int i = 0; i < CASES; i++) {
            String stream = stream(random);
            StrictReading meant = StrictReading.of(stream);
            String wrong = difference(stream, meant, 1 + random.nextInt(stream.length()));
            if (wrong != null) {
                fail("%s: seed %d, case %d: %s", wrong, seed, i, stream);
            }
            refused += meant.end() == End.REFUSED ? 1 : 0;
            forwarded += meant.messages().size();
        }
        assertThat(refused).as("the damage is seen").isBetween(CASES / 5, CASES * 4 / 5);
        assertThat(forwarded).as("and not everywhere").isGreaterThan(CASES / 2);
    }

    /** What the proxy has made of {@code stream}, which comes in two pieces, that was not meant; null if nothing. */
    private static @Nullable String difference(String stream, StrictReading meant, int cut) {
        ProxyRig rig = new ProxyRig();
        List<ScriptedChannel> origins = new ArrayList<>();
        List<StringBuilder> got = new ArrayList<>();
        rig.guest.receive(stream.substring(0, cut));
        serve(rig, origins, got);
        if (cut < stream.length() && rig.guest.isOpen()) {
            rig.guest.receive(stream.substring(cut));
            serve(rig, origins, got);
        }
        String wrong = atTheOrigins(origins, got, meant);
        if (wrong == null) {
            wrong = atTheGuest(rig.guest, meant);
        }
        origins.forEach(ScriptedChannel::finishAndReleaseAll);
        rig.guest.finishAndReleaseAll();
        return wrong;
    }

    private static @Nullable String atTheOrigins(
            List<ScriptedChannel> origins, List<StringBuilder> got, StrictReading meant) {
        List<StrictReading.Message> arrived = new ArrayList<>();
        for (int i = 0; i < origins.size(); i++) {
            StrictReading read = StrictReading.of(got.get(i).toString());
            arrived.addAll(read.messages());
            if (read.end() == End.REFUSED) {
                return "what the origin gets is ambiguous: " + got.get(i);
            }
            if (read.end() == End.INCOMPLETE
                    && meant.end() != End.INCOMPLETE
                    && origins.get(i).isOpen()) {
                return "the origin waits for more";
            }
        }
        return arrived.equals(meant.messages()) ? null : arrived + " instead of " + meant.messages();
    }

    private static @Nullable String atTheGuest(ScriptedChannel guest, StrictReading meant) {
        String answers = guest.sent();
        int good = answers.split("HTTP/1\\.1 200 OK\r\n", -1).length - 1;
        int bad = answers.split("HTTP/1\\.1 [45][0-9][0-9] ", -1).length - 1;
        boolean over = meant.end() == End.REFUSED || meant.end() == End.CLOSED;
        boolean asMeant = good == meant.messages().size()
                && bad == (meant.end() == End.REFUSED ? 1 : 0)
                && guest.isOutputShutdown() == over;
        return asMeant ? null : meant + " is answered " + answers;
    }

    /** The origin answers each message when it has all of it, until there is nothing more to do. */
    private static void serve(ProxyRig rig, List<ScriptedChannel> origins, List<StringBuilder> got) {
        boolean moved = true;
        while (moved) {
            moved = false;
            while (!rig.dials.isEmpty()) {
                origins.add(rig.connect());
                got.add(new StringBuilder());
            }
            for (int i = 0; i < origins.size(); i++) {
                String more = origins.get(i).sent();
                if (!more.isEmpty()) {
                    moved = true;
                    int before =
                            StrictReading.of(got.get(i).toString()).messages().size();
                    int now = StrictReading.of(got.get(i).append(more).toString())
                            .messages()
                            .size();
                    if (now > before) {
                        origins.get(i).receive("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".repeat(now - before));
                    }
                }
            }
        }
    }

    private static String stream(Random random) {
        StringBuilder stream = new StringBuilder();
        int requests = 1 + random.nextInt(3);
        for (int i = 0; i < requests; i++) {
            stream.append(request(random, i));
        }
        return stream.toString();
    }

    private static String request(Random random, int number) {
        boolean chunked = random.nextBoolean();
        String body = body(random);
        StringBuilder framing =
                new StringBuilder(chunked ? "Transfer-Encoding: chunked" : "Content-Length: " + body.length());
        StringBuilder framed = new StringBuilder(chunked ? chunks(body, random) : body);
        String version = random.nextInt(20) == 0 ? "HTTP/1.0" : "HTTP/1.1";
        switch (random.nextInt(6)) {
            case 0 -> damage(framing, random);
            case 1 -> damage(framed, random);
            case 2 -> framing.append("\r\n").append(FRAMINGS[random.nextInt(FRAMINGS.length)]);
            case 3 -> framing.replace(0, framing.length(), FRAMINGS[random.nextInt(FRAMINGS.length)]);
            default -> {}
        }
        return "POST http://a.test/" + number + " " + version + "\r\nHost: a.test\r\n" + framing + "\r\n\r\n" + framed;
    }

    private static String body(Random random) {
        return switch (random.nextInt(4)) {
            case 0 -> "";
            case 1 -> SMUGGLED;
            case 2 -> "0\r\n\r\n" + SMUGGLED;
            default -> "x".repeat(random.nextInt(20));
        };
    }

    private static String chunks(String body, Random random) {
        StringBuilder chunks = new StringBuilder();
        int at = 0;
        while (at < body.length()) {
            int n = 1 + random.nextInt(body.length() - at);
            chunks.append("0".repeat(random.nextInt(3))).append(Integer.toHexString(n));
            chunks.append(random.nextInt(4) == 0 ? ";a=b" : "").append("\r\n");
            chunks.append(body, at, at + n).append("\r\n");
            at += n;
        }
        return chunks + "0\r\n" + (random.nextInt(4) == 0 ? "X-Sum: 1\r\n" : "") + "\r\n";
    }

    private static void damage(StringBuilder text, Random random) {
        for (int edits = 1 + random.nextInt(2); edits > 0; edits--) {
            int at = text.isEmpty() ? 0 : random.nextInt(text.length());
            switch (random.nextInt(4)) {
                case 0 -> text.delete(at, Math.min(text.length(), at + 1));
                case 1 -> text.replace(at, Math.min(text.length(), at + 1), String.valueOf((char) random.nextInt(256)));
                default -> text.insert(at, GRAFTS[random.nextInt(GRAFTS.length)]);
            }
        }
    }
}
