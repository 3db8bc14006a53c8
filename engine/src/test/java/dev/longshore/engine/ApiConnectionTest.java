package dev.longshore.engine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.engine.policy.AnswerView;
import dev.longshore.engine.policy.ApiGate;
import dev.longshore.engine.policy.ApiPolicy;
import dev.longshore.engine.policy.ApiRequest;
import dev.longshore.engine.policy.ApiVerdict;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/** One connection: requests, answers, hijacking, judgement, ends. */
class ApiConnectionTest {
    private static final String GET = "GET /_ping HTTP/1.1\r\nHost: docker\r\n\r\n";
    private static final String OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK";
    private static final String UPGRADE = "Connection: Upgrade\r\nUpgrade: tcp\r\n";
    private static final String RAW = "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n";

    /** Judges POST /judged when it is told. */
    private static final class Judge implements ApiPolicy {
        final CompletableFuture<ApiVerdict> verdict = new CompletableFuture<>();

        @Override
        public boolean concerns(ApiRequest request) {
            return request.posts("/judged");
        }

        @Override
        public CompletionStage<ApiVerdict> judge(ApiRequest request, ObjectNode body) {
            body.put("seen", true);
            return verdict;
        }
    }

    private final Judge judge = new Judge();
    private final ConnectionRig rig = new ConnectionRig(new ApiGate(List.of(judge), List.of(new Editor())));

    /** Corrects the answers to GET /edited. */
    private static final class Editor implements AnswerView {
        @Override
        public boolean concerns(ApiRequest request) {
            return request.path().equals("/edited");
        }

        @Override
        public boolean correct(ApiRequest request, JsonNode body) {
            return body instanceof ObjectNode object && !object.has("good") && object.put("seen", true) != null;
        }
    }

    private void refused(int status, String text) {
        assertThat(rig.atCaller())
                .startsWith("HTTP/1.1 " + status + " ")
                .contains("\r\nConnection: close\r\n", "\r\nContent-Type: application/json\r\n")
                .contains("{\"message\":\"")
                .contains(text);
        assertThat(rig.caller.isOutputShutdown()).isTrue();
        assertThat(rig.engine.isOpen()).isFalse();
        rig.caller.receive("more");
        rig.caller.receiveEof();
        assertThat(rig.caller.isOpen()).isFalse();
    }

    // ---- requests and answers

    @Test
    void requestAndAnswer_passAsTheyAre() {
        rig.caller.receiveBytewise(GET);
        assertThat(rig.atEngine()).isEqualTo(GET);
        rig.engine.receiveBytewise(OK);
        assertThat(rig.atCaller()).isEqualTo(OK);
        rig.caller.receive(GET);
        assertThat(rig.atEngine()).isEqualTo(GET);
    }

    @Test
    void bodies_passAsTheyComeInBothDirectionsAtOnce() {
        rig.caller.receive("POST /build HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab");
        assertThat(rig.atEngine()).endsWith("\r\n\r\n3\r\nab");
        rig.engine.receive("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nst");
        assertThat(rig.atCaller()).endsWith("\r\n\r\n2\r\nst");
        rig.caller.receive("c\r\n0\r\nT: x\r\n\r\n");
        assertThat(rig.atEngine()).isEqualTo("c\r\n0\r\nT: x\r\n\r\n");
        rig.engine.receive("\r\n0\r\n\r\n");
        assertThat(rig.atCaller()).isEqualTo("\r\n0\r\n\r\n");
        rig.caller.receive(GET);
        assertThat(rig.atEngine()).isEqualTo(GET);
    }

    @Test
    void pipelinedRequests_goOnOneByOne() {
        rig.caller.receive(GET + "HEAD /a HTTP/1.1\r\n\r\n" + "GET /b HTTP/1.1\r\n\r\n");
        assertThat(rig.atEngine()).isEqualTo(GET);
        assertThat(rig.caller.wantsToRead()).isFalse();
        rig.engine.receive(OK);
        assertThat(rig.atEngine()).isEqualTo("HEAD /a HTTP/1.1\r\n\r\n");
        rig.engine.receive("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n");
        assertThat(rig.atEngine()).isEqualTo("GET /b HTTP/1.1\r\n\r\n");
        assertThat(rig.caller.wantsToRead()).isTrue();
        rig.engine.receive("HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n");
        rig.caller.receive(GET);
        assertThat(rig.atEngine()).isEqualTo(GET);
    }

    @Test
    void interimAnswers_passBeforeTheAnswer() {
        rig.caller.receive("POST /images/load HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
        assertThat(rig.atEngine()).contains("Expect: 100-continue");
        rig.engine.receive("HTTP/1.1 100 Continue\r\n\r\n");
        assertThat(rig.atCaller()).isEqualTo("HTTP/1.1 100 Continue\r\n\r\n");
        rig.caller.receive("ab");
        assertThat(rig.atEngine()).isEqualTo("ab");
        rig.engine.receive(OK);
        assertThat(rig.atCaller()).isEqualTo(OK);
    }

    @Test
    void answerBeforeTheBodyIsThrough_doesNotEndTheRequest() {
        rig.caller.receive("POST /images/load HTTP/1.1\r\nContent-Length: 4\r\n\r\nab");
        rig.engine.receive("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
        rig.atEngine();
        rig.caller.receive("cd" + GET);
        assertThat(rig.atEngine()).isEqualTo("cd" + GET);
    }

    @Test
    void connectionClose_endsItBehindTheAnswer() {
        rig.caller.receive("GET / HTTP/1.1\r\nConnection: close\r\n\r\n" + GET);
        rig.engine.receive(OK);
        assertThat(rig.atCaller()).isEqualTo(OK);
        assertThat(rig.caller.isOutputShutdown()).isTrue();
        assertThat(rig.engine.isOpen()).isFalse();
        assertThat(rig.atEngine()).doesNotContain("_ping");
    }

    @Test
    void answerUntilClose_endsWithTheStream() {
        rig.caller.receive("GET /logs HTTP/1.0\r\n\r\n");
        rig.engine.receive("HTTP/1.0 200 OK\r\n\r\nabc");
        rig.engine.receive("def");
        assertThat(rig.atCaller()).endsWith("\r\n\r\nabcdef");
        assertThat(rig.caller.isOutputShutdown()).isFalse();
        rig.engine.receiveEof();
        assertThat(rig.caller.isOutputShutdown()).isTrue();
        assertThat(rig.unanswered).isZero();
    }

    // ---- what is not HTTP any more

    @ParameterizedTest
    @ValueSource(
            strings = {
                "POST /v1.45/containers/x/attach?stream=1 HTTP/1.1\r\n" + UPGRADE + "\r\n",
                "POST /exec/x/start HTTP/1.1\r\nContent-Length: 2\r\n" + UPGRADE + "\r\n{}",
                "POST /session HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
                "POST /grpc HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
                "GET /containers/x/attach/ws HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
            })
    void upgrade_makesBothDirectionsRaw(String request) {
        rig.caller.receive(request);
        assertThat(rig.atEngine()).isEqualTo(request);
        rig.engine.receive("HTTP/1.1 101 UPGRADED\r\nUpgrade: x\r\n\r\nearly");
        assertThat(rig.atCaller()).endsWith("\r\n\r\nearly");
        raw();
    }

    @ParameterizedTest
    @ValueSource(strings = {"POST /containers/x/attach HTTP/1.1\r\n\r\n", "POST /v1.24/exec/x/start HTTP/1.0\r\n\r\n"})
    void oldHijack_makesBothDirectionsRaw(String request) {
        rig.caller.receive(request);
        rig.atEngine();
        rig.engine.receiveBytewise(RAW);
        assertThat(rig.atCaller()).isEqualTo(RAW);
        raw();
    }

    private void raw() {
        rig.caller.receive("not http\n\n");
        assertThat(rig.atEngine()).isEqualTo("not http\n\n");
        rig.engine.receive("\u0001\u0000");
        assertThat(rig.atCaller()).isEqualTo("\u0001\u0000");
        rig.caller.receiveEof();
        rig.caller.runPendingTasks();
        assertThat(rig.engine.isOutputShutdown()).isTrue();
        assertThat(rig.caller.isOutputShutdown()).isFalse();
        rig.engine.receive("late");
        assertThat(rig.atCaller()).isEqualTo("late");
        rig.engine.receiveEof();
        rig.caller.runPendingTasks();
        assertThat(rig.caller.isOpen()).isFalse();
        assertThat(rig.engine.isOpen()).isFalse();
    }

    @Test
    void bytesBehindAnAttach_waitUntilItIsKnownWhatTheyAre() {
        String attach = "POST /containers/x/attach HTTP/1.1\r\n\r\n";
        rig.caller.receive(attach + GET);
        assertThat(rig.atEngine()).isEqualTo(attach);
        rig.engine.receive(RAW);
        assertThat(rig.atEngine()).isEqualTo(GET); // it was input for the container

        ConnectionRig other = new ConnectionRig(ApiGate.OPEN);
        other.caller.receive(attach + "junk \r\n\r\n");
        other.engine.receive("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
        assertThat(other.atEngine()).isEqualTo(attach);
        assertThat(other.atCaller()).contains("HTTP/1.1 404 ", "HTTP/1.1 400 ");
    }

    @Test
    void http2ElsewhereThanForBuildKit_isCutOff() {
        rig.caller.receive("GET /info HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n");
        rig.engine.receive("HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n");
        refused(502, "changed protocols");
    }

    @Test
    void http2ThatTheEngineDeclines_isAnOrdinaryRequest() {
        rig.caller.receive("GET /info HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n");
        rig.engine.receive(OK);
        assertThat(rig.atCaller()).isEqualTo(OK);
    }

    // ---- refusals

    @ParameterizedTest
    @ValueSource(
            strings = {
                "GET / HTTP/1.1\nHost: a\n\n",
                "POST /x HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
                "GET /%zz HTTP/1.1\r\n\r\n",
                "GET x HTTP/1.1\r\n\r\n",
                "garbage\r\n\r\n",
            })
    void badHeads_areRefusedAndReachNobody(String head) {
        rig.caller.receive(GET);
        rig.engine.receive(OK);
        rig.atEngine();
        rig.atCaller();
        rig.caller.receive(head);
        assertThat(rig.atEngine()).isEmpty();
        refused(400, "");
    }

    @Test
    void badChunk_isRefusedInTheMiddle() {
        rig.caller.receive("POST /build HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcGET");
        refused(400, "chunk data is not followed by CRLF");
    }

    @Test
    void badChunk_behindTheBeginningOfTheAnswer_endsBoth() {
        rig.caller.receive("POST /build HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n");
        rig.engine.receive("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        rig.caller.receive("x");
        assertThat(rig.atCaller()).doesNotContain("400");
        assertThat(rig.caller.isOpen()).isFalse();
        assertThat(rig.engine.isOpen()).isFalse();
    }

    @Test
    void connect_isRefused() {
        rig.caller.receive("CONNECT docker:80 HTTP/1.1\r\n\r\n");
        refused(405, "CONNECT");
    }

    @Test
    void http2WithoutAsking_isRefused() {
        rig.caller.receive("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        refused(505, "HTTP/1.1");
    }

    @Test
    void refusalBehindAPipelinedRequest_comesInOrder() {
        rig.caller.receive(GET + "bad\r\n\r\n");
        assertThat(rig.atCaller()).isEmpty();
        rig.engine.receive(OK);
        assertThat(rig.atCaller()).startsWith(OK + "HTTP/1.1 400 Bad Request\r\n");
    }

    // ---- judgement

    private static String judged(String body) {
        return "POST /judged HTTP/1.1\r\nHost: d\r\nContent-Length: " + body.length() + "\r\n\r\n" + body;
    }

    @Test
    void passed_goesOnAsItCame() {
        rig.caller.receiveBytewise(judged("{ \"a\" : 1 }"));
        assertThat(rig.atEngine()).isEmpty();
        judge.verdict.complete(ApiVerdict.PASS);
        assertThat(rig.atEngine()).isEqualTo(judged("{ \"a\" : 1 }"));
        rig.engine.receive(OK);
        assertThat(rig.atCaller()).isEqualTo(OK);
    }

    @Test
    void passed_chunked_goesOnWithItsChunks() {
        String request =
                "POST /judged HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1;x\r\n}\r\n0\r\nT: y\r\n\r\n";
        rig.caller.receiveBytewise(request);
        judge.verdict.complete(ApiVerdict.PASS);
        assertThat(rig.atEngine()).isEqualTo(request);
    }

    @Test
    void changed_hasAnotherLength() {
        rig.caller.receive("POST /judged HTTP/1.1\r\nTransfer-Encoding: chunked\r\nHost: d\r\n\r\n"
                + "1\r\n{\r\n1\r\n}\r\n0\r\n\r\n" + GET);
        judge.verdict.complete(ApiVerdict.CHANGED);
        assertThat(rig.atEngine())
                .isEqualTo("POST /judged HTTP/1.1\r\nHost: d\r\nContent-Length: 13\r\n\r\n{\"seen\":true}");
        rig.engine.receive(OK);
        assertThat(rig.atEngine()).isEqualTo(GET);
    }

    @Test
    void refused_isAnsweredAndTheConnectionGoesOn() {
        rig.caller.receive(judged("{}") + GET);
        judge.verdict.complete(new ApiVerdict.Refused(500, "no \"way\""));
        String body = "{\"message\":\"no \\\"way\\\"\"}\n";
        assertThat(rig.atCaller())
                .isEqualTo("HTTP/1.1 500 Internal Server Error\r\nContent-Type: application/json\r\nContent-Length: "
                        + body.length() + "\r\n\r\n" + body);
        assertThat(rig.atEngine()).isEqualTo(GET);
    }

    @Test
    void manyRefusedInOnePiece_areAllAnswered() {
        judge.verdict.complete(new ApiVerdict.Refused(403, "no"));
        rig.caller.receive(judged("{}").repeat(20_000) + GET);
        assertThat(rig.atCaller().split("HTTP/1.1 403", -1)).hasSize(20_001);
        assertThat(rig.atEngine()).isEqualTo(GET);
    }

    @Test
    void refused_lastRequest_endsTheConnection() {
        rig.caller.receive("POST /judged HTTP/1.0\r\nContent-Length: 2\r\n\r\n{}");
        judge.verdict.complete(new ApiVerdict.Refused(403, "no"));
        refused(403, "no");
    }

    @Test
    void expectContinue_isMetAndLeftOut() {
        rig.caller.receive("POST /judged HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
        assertThat(rig.atCaller()).isEqualTo("HTTP/1.1 100 Continue\r\n\r\n");
        rig.caller.receive("{}");
        judge.verdict.complete(ApiVerdict.PASS);
        assertThat(rig.atEngine()).isEqualTo("POST /judged HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}");
    }

    @Test
    void tooLarge_announced_isRefusedAtOnce() {
        rig.caller.receive("POST /judged HTTP/1.1\r\nContent-Length: 4194305\r\n\r\n");
        refused(413, "the body of POST /judged is larger than 4 MiB");
    }

    @Test
    void tooLarge_chunked_isRefusedWhenItIs() {
        String chunk = "10000\r\n" + "x".repeat(0x10000) + "\r\n";
        rig.caller.receive("POST /judged HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n");
        for (int i = 0; i < 63; i++) {
            rig.caller.receive(chunk);
        }
        assertThat(rig.atCaller()).isEmpty();
        rig.caller.receive(chunk);
        refused(413, "4 MiB");
    }

    @Test
    void failingPolicy_isAnInternalError() {
        rig.caller.receive(judged("{}") + GET);
        judge.verdict.completeExceptionally(new IllegalStateException("test of a failing policy"));
        assertThat(rig.atCaller()).startsWith("HTTP/1.1 500 ").contains("internal error of Longshore");
        assertThat(rig.atEngine()).isEqualTo(GET);
    }

    @Test
    void callerGoneWhileJudged_isForgotten() {
        rig.caller.receive(judged("{}"));
        rig.caller.close();
        judge.verdict.complete(ApiVerdict.PASS);
        assertThat(rig.atEngine()).isEmpty();
        assertThat(rig.engine.isOpen()).isFalse();
    }

    // ---- corrected answers

    private static final String EDITED = "GET /edited HTTP/1.1\r\n\r\n";

    private static String chunked(String body) {
        return "HTTP/1.1 200 Fine\r\nTransfer-Encoding: chunked\r\nX: y\r\n\r\n" + Integer.toHexString(body.length())
                + ";z\r\n" + body + "\r\n0\r\n\r\n";
    }

    @Test
    void answer_isCorrected() {
        rig.caller.receive(EDITED + GET);
        rig.engine.receiveBytewise(chunked("{\"a\":1.50}"));
        assertThat(rig.atCaller())
                .isEqualTo("HTTP/1.1 200 Fine\r\nX: y\r\nContent-Length: 22\r\n\r\n{\"a\":1.50,\"seen\":true}");
        assertThat(rig.atEngine()).isEqualTo(EDITED + GET);
    }

    @ParameterizedTest
    @ValueSource(strings = {"{ \"good\" : 1 }\n", "[ ]", "not json", "{}{}"})
    void answer_withoutNeed_staysAsItCame(String body) {
        rig.caller.receive(EDITED);
        rig.engine.receiveBytewise(chunked(body));
        assertThat(rig.atCaller()).isEqualTo(chunked(body));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}",
                "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Encoding: br\r\n\r\n{}",
                "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            })
    void otherAnswers_areNotKept(String answer) {
        rig.caller.receive(EDITED);
        rig.engine.receiveBytewise(answer);
        assertThat(rig.atCaller()).isEqualTo(answer);
        rig.caller.receive(GET);
        assertThat(rig.atEngine()).isEqualTo(EDITED + GET);
    }

    @Test
    void answer_tooLarge_passesAsItComes() {
        rig.caller.receive(EDITED);
        String piece = "10000\r\n" + "x".repeat(0x10000) + "\r\n";
        StringBuilder all = new StringBuilder("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        rig.engine.receive(all.toString());
        for (int i = 0; i < 70; i++) {
            rig.engine.receive(piece);
            all.append(piece);
        }
        rig.engine.receive("0\r\n\r\n");
        assertThat(rig.atCaller().equals(all + "0\r\n\r\n")).isTrue();
        rig.caller.receive(GET);
        assertThat(rig.atEngine()).endsWith(GET);
    }

    @Test
    void answer_cutOffWhileKept_isTold() {
        rig.caller.receive(EDITED);
        rig.engine.receive("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{");
        rig.engine.receiveEof();
        refused(503, "ended before it answered");
    }

    // ---- ends

    @Test
    void callerEof_isPassedOnAndTheAnswerStillComes() {
        rig.caller.receive(GET);
        rig.caller.receiveEof();
        rig.caller.runPendingTasks();
        assertThat(rig.engine.isOutputShutdown()).isTrue();
        rig.engine.receive(OK);
        rig.engine.receiveEof();
        assertThat(rig.atCaller()).isEqualTo(OK);
        assertThat(rig.caller.isOpen()).isFalse();
    }

    @Test
    void callerEof_waitsForPipelinedRequests() {
        rig.caller.receive(GET + GET + judged("{}"));
        rig.caller.receiveEof();
        rig.engine.receive(OK);
        rig.engine.receive(OK);
        assertThat(rig.engine.isOutputShutdown()).isFalse();
        judge.verdict.complete(ApiVerdict.PASS);
        rig.caller.runPendingTasks();
        assertThat(rig.atEngine()).isEqualTo(GET + GET + judged("{}"));
        assertThat(rig.engine.isOutputShutdown()).isTrue();
    }

    @ParameterizedTest
    @ValueSource(strings = {"GET /", GET + "GET /", "POST /judged HTTP/1.1\r\nContent-Length: 9\r\n\r\n{"})
    void callerEof_inTheMiddle_isRefused(String said) {
        rig.caller.receive(said);
        rig.caller.receiveEof();
        if (said.startsWith(GET)) {
            rig.engine.receive(OK);
        }
        assertThat(rig.atCaller()).contains("HTTP/1.1 400 ").contains("the request ended before its");
        assertThat(rig.caller.isOpen()).isFalse();
        assertThat(rig.engine.isOpen()).isFalse();
    }

    @Test
    void engineEof_unanswered_isTold() {
        rig.caller.receive(GET);
        rig.engine.receiveEof();
        refused(503, "the Docker Engine ended before it answered");
        assertThat(rig.unanswered).isEqualTo(1);
    }

    @Test
    void engineReset_behindAnInterimAnswer_isTold() {
        rig.caller.receive(GET);
        rig.engine.receive("HTTP/1.1 100 Continue\r\n\r\n");
        rig.engine.receiveReset();
        assertThat(rig.atCaller()).startsWith("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 503 ");
    }

    @Test
    void engineEof_whileIdle_endsTheConnectionQuietly() {
        rig.caller.receive(GET);
        rig.engine.receive(OK);
        rig.engine.receiveEof();
        assertThat(rig.atCaller()).isEqualTo(OK);
        assertThat(rig.caller.isOutputShutdown()).isTrue();
        assertThat(rig.unanswered).isZero();
    }

    @Test
    void engineEof_inTheMiddleOfTheAnswer_closesWithoutAnEndOfTheStream() {
        rig.caller.receive(GET);
        rig.engine.receive("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab");
        rig.engine.receiveEof();
        assertThat(rig.atCaller()).endsWith("ab");
        assertThat(rig.caller.isOpen()).isFalse();
        assertThat(rig.caller.isOutputShutdown()).isFalse();
    }

    @Test
    void badAnswer_isToldInsteadOf() {
        rig.caller.receive(GET);
        rig.engine.receive("SSH-2.0-OpenSSH\r\n");
        rig.engine.receive("\r\n");
        refused(502, "not HTTP/1.1");
    }

    @Test
    void bytesThatNobodyAskedFor_endTheConnection() {
        rig.engine.receive(OK);
        assertThat(rig.atCaller()).isEmpty();
        assertThat(rig.caller.isOpen()).isFalse();
        assertThat(rig.engine.isOpen()).isFalse();
    }

    @Test
    void callerGone_engineIsClosed() {
        rig.caller.receive(GET);
        rig.caller.close();
        rig.caller.runPendingTasks();
        assertThat(rig.atEngine()).isEqualTo(GET);
        assertThat(rig.engine.isOpen()).isFalse();
    }

    @Test
    void callerThatNeverEnds_isClosedSomeTimeAfterTheLastAnswer() {
        rig.caller.receive("bad\r\n\r\n");
        rig.atCaller();
        assertThat(rig.caller.isOpen()).isTrue();
        rig.caller.pass(6);
        assertThat(rig.caller.isOpen()).isFalse();
    }

    // ---- busy or not

    @Test
    void isBusy_fromTheFirstByteToTheEndOfTheAnswer() {
        assertThat(rig.connection.isBusy()).isFalse();
        rig.caller.receive("GET /v1.45/containers/json HTTP");
        assertThat(rig.connection.isBusy()).isTrue();
        assertThat(rig.requests).isZero();
        rig.caller.receive("/1.1\r\n\r\n");
        assertThat(rig.connection.isBusy()).isTrue();
        assertThat(rig.requests).isOne();
        rig.engine.receive(OK);
        assertThat(rig.connection.isBusy()).isFalse();
        rig.caller.receiveEof();
        assertThat(rig.connection.isBusy()).isFalse();
    }

    @Test
    void isBusy_eventsDoNotCount_butTheirRequestsBodyAndWhatFollowsDo() {
        rig.caller.receive("GET /v1.45/events HTTP/1.1\r\nContent-Length: 1\r\n\r\n");
        assertThat(rig.connection.isBusy()).isTrue();
        rig.caller.receive("x");
        rig.engine.receive("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n");
        assertThat(rig.connection.isBusy()).isFalse();
        assertThat(rig.requests).isOne();
    }

    @Test
    void isBusy_hijacked_asLongAsItIsOpen() {
        rig.caller.receive("POST /containers/x/attach HTTP/1.1\r\n" + UPGRADE + "\r\n");
        rig.engine.receive("HTTP/1.1 101 UPGRADED\r\n" + UPGRADE + "\r\n");
        assertThat(rig.connection.isBusy()).isTrue();
    }
}
