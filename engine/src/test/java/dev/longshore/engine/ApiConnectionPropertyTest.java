package dev.longshore.engine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.engine.policy.AnswerView;
import dev.longshore.engine.policy.ApiGate;
import dev.longshore.engine.policy.ApiPolicy;
import dev.longshore.engine.policy.ApiRequest;
import dev.longshore.engine.policy.ApiVerdict;
import dev.longshore.testkit.ScriptedChannel;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * Random conversations in random pieces: what one end says arrives at the other byte for byte, whatever the cuts, the order of
 * the two directions and the way bodies are framed.
 */
class ApiConnectionPropertyTest {
    private static final int CONVERSATIONS = 3_000;

    /** One request and its answer; {@code headBytes} of the request are there before the Engine may answer. */
    private record Turn(String request, int headBytes, String answer, boolean raw) {}

    /** Lets everything pass, some of it after it was kept. */
    private static final ApiGate GATE = new ApiGate(
            List.of(new ApiPolicy() {
                @Override
                public boolean concerns(ApiRequest request) {
                    return request.path().startsWith("/judged");
                }

                @Override
                public CompletionStage<ApiVerdict> judge(ApiRequest request, ObjectNode body) {
                    return CompletableFuture.completedStage(ApiVerdict.PASS);
                }
            }),
            List.of(new AnswerView() {
                @Override
                public boolean concerns(ApiRequest request) {
                    return request.query().contains("kept");
                }

                @Override
                public boolean correct(ApiRequest request, JsonNode body) {
                    return false;
                }
            }));

    private Random random = new Random();

    @Test
    void conversations_areByteExact() {
        for (int seed = 0; seed < CONVERSATIONS; seed++) {
            random = new Random(seed);
            converse("seed " + seed);
        }
    }

    private void converse(String seed) {
        List<Turn> turns = new ArrayList<>();
        int count = 1 + random.nextInt(4);
        for (int i = 0; i < count; i++) {
            turns.add(turn(i == count - 1));
        }
        StringBuilder said = new StringBuilder();
        turns.forEach(t -> said.append(t.request));
        boolean raw = turns.getLast().raw;
        String input = raw ? text(random.nextInt(200)) : "";
        String late = raw ? text(random.nextInt(200)) : "";
        said.append(input);

        ConnectionRig rig = new ConnectionRig(GATE);
        StringBuilder atEngine = new StringBuilder();
        StringBuilder atCaller = new StringBuilder();
        StringBuilder answers = new StringBuilder(); // what the Engine may say already and has not
        int due = 0; // requests that have been seen
        int seenBytes = 0; // of requests before that
        int at = 0;
        for (int idle = 0; idle < 50; idle++) {
            if (random.nextBoolean() && at < said.length()) {
                int n = piece(said.length() - at);
                ConnectionRig.send(rig.caller, said.substring(at, at + n));
                at += n;
                idle = 0;
            }
            atEngine.append(rig.atEngine());
            while (due < turns.size() && atEngine.length() >= seenBytes + turns.get(due).headBytes) {
                answers.append(turns.get(due).answer);
                seenBytes += turns.get(due).request.length();
                due++;
                if (due == turns.size()) {
                    answers.append(late);
                }
            }
            if (random.nextBoolean() && answers.length() > 0) {
                int n = piece(answers.length());
                ConnectionRig.send(rig.engine, answers.substring(0, n));
                answers.delete(0, n);
                idle = 0;
            }
            atCaller.append(rig.atCaller());
        }
        StringBuilder expected = new StringBuilder();
        turns.forEach(t -> expected.append(t.answer));
        assertThat(atEngine.toString()).as(seed).isEqualTo(said.toString());
        assertThat(atCaller.toString()).as(seed).isEqualTo(expected + late);
        end(rig, turns.getLast(), seed);
    }

    private void end(ConnectionRig rig, Turn last, String seed) {
        boolean callerFirst = random.nextBoolean();
        ScriptedChannel first = callerFirst ? rig.caller : rig.engine;
        ScriptedChannel second = callerFirst ? rig.engine : rig.caller;
        first.receiveEof();
        rig.caller.runPendingTasks();
        if (last.raw) {
            assertThat(second.isOutputShutdown()).as(seed).isTrue();
            assertThat(second.isOpen()).as(seed).isTrue();
            second.receiveEof();
        } else if (callerFirst) {
            assertThat(rig.engine.isOutputShutdown()).as(seed).isTrue();
            rig.engine.receiveEof();
        } else {
            rig.caller.receiveEof();
        }
        rig.caller.runPendingTasks();
        assertThat(rig.caller.isOpen()).as(seed).isFalse();
        assertThat(rig.engine.isOpen()).as(seed).isFalse();
        assertThat(rig.atCaller() + rig.atEngine()).as(seed).isEmpty();
    }

    private int piece(int most) {
        return Math.min(most, random.nextInt(4) == 0 ? most : 1 + random.nextInt(40));
    }

    private Turn turn(boolean last) {
        int kind = random.nextInt(last ? 8 : 5);
        if (kind == 5) {
            return upgrade();
        }
        if (kind == 6) {
            String head = "POST /containers/c/attach HTTP/1.1\r\nHost: d\r\n\r\n";
            return new Turn(head, head.length(), "HTTP/1.1 200 OK\r\nContent-Type: x\r\n\r\n", true);
        }
        String path =
                random.nextInt(3) == 0 ? "/judged" : "/v1.45/images/load?x=" + (random.nextBoolean() ? "kept" : "%20");
        String method = random.nextInt(4) == 0 ? "HEAD" : "POST";
        String start = method + " " + path + " HTTP/1.1\r\nHost: d\r\n" + junkFields();
        String head;
        String body;
        if (path.equals("/judged")) {
            String json = "{\"a\":\"" + text(random.nextInt(80)).replaceAll("[^a-z]", "") + "\"}";
            boolean chunked = random.nextBoolean();
            head = start + (chunked ? "Transfer-Encoding: chunked" : "Content-Length: " + json.length()) + "\r\n\r\n";
            body = chunked ? chunked(json) : json;
            return new Turn(head + body, head.length() + body.length(), answer(method, kind == 7), false);
        }
        switch (random.nextInt(3)) {
            case 0 -> {
                head = start + "\r\n";
                body = "";
            }
            case 1 -> {
                body = text(random.nextInt(200));
                head = start + "content-length:" + body.length() + "\r\n\r\n";
            }
            default -> {
                body = chunked(text(random.nextInt(200)));
                head = start + "Transfer-Encoding: chunked\r\nTrailer: T\r\n\r\n";
            }
        }
        return new Turn(head + body, head.length(), answer(method, kind == 7), false);
    }

    private static Turn upgrade() {
        String head = "POST /exec/e/start HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 2\r\n\r\n";
        return new Turn(head + "{}", head.length() + 2, "HTTP/1.1 101 UPGRADED\r\nUpgrade: tcp\r\n\r\n", true);
    }

    private String answer(String method, boolean untilClose) {
        String interim = random.nextInt(4) == 0 ? "HTTP/1.1 102 Processing\r\nX: y\r\n\r\n" : "";
        if (untilClose) {
            return interim + "HTTP/1.1 200 OK\r\n" + junkFields() + "\r\n"
                    + (method.equals("HEAD") ? "" : text(random.nextInt(200)));
        }
        return interim
                + switch (random.nextInt(4)) {
                    case 0 -> "HTTP/1.1 204 No Content\r\n\r\n";
                    case 1 -> "HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n";
                    case 2 -> {
                        String body = text(random.nextInt(200));
                        yield "HTTP/1.1 200 OK\r\nContent-Length: " + body.length() + "\r\n\r\n"
                                + (method.equals("HEAD") ? "" : body);
                    }
                    default ->
                        "HTTP/1.1 500 Oops\r\n" + junkFields() + "Transfer-Encoding: chunked\r\n\r\n"
                                + (method.equals("HEAD") ? "" : chunked(text(random.nextInt(200))));
                };
    }

    private String junkFields() {
        return random.nextBoolean()
                ? ""
                : "X-Junk:  content-length: 5 \r\nx: \u00e4" + "y".repeat(random.nextInt(50)) + "\r\n";
    }

    private String chunked(String body) {
        StringBuilder chunks = new StringBuilder();
        for (int at = 0; at < body.length(); ) {
            int n = piece(body.length() - at);
            chunks.append(Integer.toHexString(n))
                    .append(random.nextInt(5) == 0 ? ";a=\"b\"" : "")
                    .append("\r\n")
                    .append(body, at, at + n)
                    .append("\r\n");
            at += n;
        }
        return chunks.append("0\r\n")
                .append(random.nextInt(3) == 0 ? "T: x\r\n" : "")
                .append("\r\n")
                .toString();
    }

    /** Bytes that look like anything, most of all like HTTP. */
    private String text(int length) {
        String bits = "\r\n\r\nGET / HTTP/1.1\r\n0\r\n\r\nab\u0000\u00ff";
        StringBuilder text = new StringBuilder();
        while (text.length() < length) {
            text.append(bits.charAt(random.nextInt(bits.length())));
        }
        return text.toString();
    }
}
