package dev.longshore.proxy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;

import dev.longshore.testkit.ScriptedChannel;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/**
 * Responses damaged at random, more bytes behind them, and an end or none. Much of it is repaired; but what the guest gets can be read in
 * one way only, and the answer to its second request is the second one, never what was left of the first.
 */
@SuppressWarnings("StringConcatToTextBlock") // CRLF must be seen
class ResponsePropertyTest {
    private static final int CASES = 10_000;
    private static final String GET = "GET http://a.test/%d HTTP/1.1\r\nHost: a.test\r\n\r\n";
    private static final String SECOND = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecond";
    private static final String EVIL = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";

    private static final String[] GRAFTS = {
        "\r\n",
        "\n",
        "\r",
        " ",
        "\t",
        "\0",
        ":",
        ",",
        ";",
        "+",
        "-",
        "0",
        "1",
        "\r\n ",
        "\r\n\r\n",
        "0\r\n\r\n",
        "é",
        EVIL,
        "Content-Length: 3\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Connection: close\r\n",
        "HTTP/1.1 103 Hints\r\n\r\n"
    };

    private static final String[] STATUSES = {
        "HTTP/1.1 200 OK", "HTTP/1.0 200 OK", "HTTP/1.1 204 No Content", "HTTP/1.1 304 Not Modified", "HTTP/1.1 404"
    };

    private static final Pattern HEAD = Pattern.compile("HTTP/1\\.1 ([1-9][0-9]{2}) [\\t\\x20-\\x7e\\x80-\\xff]*\r\n"
            + "((?:[!#$%&'*+.^_`|~0-9A-Za-z-]+: [\\t\\x20-\\x7e\\x80-\\xff]*\r\n)*)\r\n");
    private static final Pattern LENGTH = Pattern.compile("(?im)^Content-Length: ([^\r\n]*)\r\n");
    private static final Pattern CODING = Pattern.compile("(?im)^Transfer-Encoding: ([^\r\n]*)\r\n");
    private static final Pattern CHUNK = Pattern.compile("([0-9a-f]{1,8})\r\n");

    @Test
    void damagedResponses_areRepairedOrEnded_neverAmbiguous() {
        long seed = 20_261_128;
        Random random = new Random(seed);
        int answered = 0;
        int second = 0;
        for (int i = 0; i < CASES; i++) {
            String response = response(random);
            List<String> bodies = new ArrayList<>();
            String wrong = difference(response, random, bodies);
            if (wrong != null) {
                fail("%s: seed %d, case %d: %s", wrong, seed, i, response);
            }
            answered += bodies.isEmpty() ? 0 : 1;
            second += bodies.size() > 1 ? 1 : 0;
        }
        assertThat(answered).as("whole answers").isGreaterThan(CASES / 2);
        assertThat(second).as("connections that lived on").isGreaterThan(CASES / 4);
    }

    /** What was wrong, or null; {@code bodies} of the responses that were whole. */
    private static @Nullable String difference(String response, Random random, List<String> bodies) {
        ProxyRig rig = new ProxyRig();
        ScriptedChannel origin = rig.request(GET.formatted(1));
        origin.sent();
        int cut = random.nextInt(response.length());
        origin.receive(response.substring(0, cut));
        if (origin.isOpen()) {
            origin.receive(response.substring(cut));
        }
        if (origin.isOpen() && random.nextBoolean()) {
            origin.receiveEof();
        }
        String first = rig.guest.sent();
        String wrong = read(first, rig.guest, bodies);
        if (wrong == null && bodies.size() == 1 && !rig.guest.isOutputShutdown() && rig.guest.isOpen()) {
            wrong = secondRequest(rig, origin, bodies);
        }
        origin.finishAndReleaseAll();
        rig.guest.finishAndReleaseAll();
        return wrong != null ? wrong + " in " + first : null;
    }

    private static @Nullable String secondRequest(ProxyRig rig, ScriptedChannel origin, List<String> bodies) {
        rig.guest.receive(GET.formatted(2));
        ScriptedChannel serves = rig.dials.isEmpty() ? origin : rig.connect();
        if (!serves.sent().startsWith("GET /2 HTTP/1.1\r\n")) {
            return "the second request is nowhere";
        }
        serves.receive(SECOND);
        String wrong = read(rig.guest.sent(), rig.guest, bodies);
        serves.finishAndReleaseAll();
        return wrong != null
                ? wrong
                : bodies.getLast().equals("second") ? null : "the second answer is " + bodies.getLast();
    }

    /** Reads all that a guest got for one request: interim responses and one that is final, if it is whole. */
    private static @Nullable String read(String got, ScriptedChannel guest, List<String> bodies) {
        int at = 0;
        while (at < got.length()) {
            Matcher head = HEAD.matcher(got).region(at, got.length());
            if (!head.lookingAt()) {
                return "a malformed head at " + at;
            }
            at = head.end();
            int status = Integer.parseInt(head.group(1));
            if (status >= 200) {
                return body(got.substring(at), status, head.group(2), guest, bodies);
            }
        }
        return null;
    }

    private static @Nullable String body(
            String rest, int status, String fields, ScriptedChannel guest, List<String> bodies) {
        List<String> lengths =
                LENGTH.matcher(fields).results().map(r -> r.group(1)).toList();
        List<String> codings =
                CODING.matcher(fields).results().map(r -> r.group(1)).toList();
        if (lengths.size() + codings.size() > 1
                || !(codings.isEmpty() || codings.getFirst().equals("chunked"))) {
            return "two framings";
        }
        String body;
        if (status == 204 || status == 304) {
            body = "";
        } else if (!codings.isEmpty()) {
            body = chunks(rest);
        } else if (lengths.isEmpty()) {
            if (!fields.contains("Connection: close\r\n")) {
                return "no framing";
            }
            body = guest.isOutputShutdown() ? rest : null;
            rest = "";
        } else {
            if (!lengths.getFirst().matches("[0-9]{1,18}")) {
                return "a malformed length";
            }
            long length = Long.parseLong(lengths.getFirst());
            body = rest.length() < length ? null : rest.substring(0, (int) length);
            rest = body == null ? "" : rest.substring(body.length());
        }
        if (body == null) {
            return guest.isOutputShutdown() && guest.isOpen() ? "a cut body with a proper end" : null;
        }
        bodies.add(body);
        return codings.isEmpty() && !rest.isEmpty() ? "bytes behind the response" : null;
    }

    /** Null if it is not whole; the empty string's length tells nothing of what is behind it, so that is checked here. */
    private static @Nullable String chunks(String rest) {
        StringBuilder body = new StringBuilder();
        int at = 0;
        while (true) {
            Matcher size = CHUNK.matcher(rest).region(at, rest.length());
            if (!size.lookingAt()) {
                return null;
            }
            at = size.end();
            int bytes = Integer.parseInt(size.group(1), 16);
            if (bytes == 0) {
                return rest.substring(at).matches("(?s)(?:[^\r\n]+\r\n)*\r\n") ? body.toString() : null;
            }
            if (at + bytes + 2 > rest.length()) {
                return null;
            }
            body.append(rest, at, at + bytes);
            at += bytes + 2;
        }
    }

    private static String response(Random random) {
        String body = random.nextBoolean() ? "hello" : EVIL;
        StringBuilder s = new StringBuilder(STATUSES[random.nextInt(STATUSES.length)]).append("\r\nX: y\r\n");
        switch (random.nextInt(4)) {
            case 0 ->
                s.append("Transfer-Encoding: chunked\r\n\r\n")
                        .append(chunked(body))
                        .append("0\r\n\r\n");
            case 1 -> s.append("\r\n").append(body);
            default ->
                s.append("Content-Length: ")
                        .append(body.length())
                        .append("\r\n\r\n")
                        .append(body);
        }
        if (random.nextInt(4) == 0) {
            s.append(EVIL);
        }
        for (int edits = random.nextInt(3); edits > 0; edits--) {
            int at = random.nextInt(s.length());
            switch (random.nextInt(3)) {
                case 0 -> s.deleteCharAt(at);
                case 1 -> s.setCharAt(at, (char) random.nextInt(256));
                default -> s.insert(at, GRAFTS[random.nextInt(GRAFTS.length)]);
            }
        }
        return s.toString();
    }

    private static String chunked(String body) {
        return Integer.toHexString(body.length()) + "\r\n" + body + "\r\n";
    }
}
