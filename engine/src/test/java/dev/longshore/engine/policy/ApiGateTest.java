package dev.longshore.engine.policy;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutionException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.node.ObjectNode;

class ApiGateTest {
    private static final ApiRequest REQUEST = new ApiRequest("POST", "1.45", "/containers/create", "");

    /** Sets a member, or refuses a body that has it. */
    private record Marker(String name, boolean refuses) implements ApiPolicy {
        @Override
        public boolean concerns(ApiRequest request) {
            return request.posts("/containers/create");
        }

        @Override
        public CompletionStage<ApiVerdict> judge(ApiRequest request, ObjectNode body) {
            if (body.has(name)) {
                return CompletableFuture.completedStage(refuses ? new ApiVerdict.Refused(403, name) : ApiVerdict.PASS);
            }
            body.put(name, true);
            return CompletableFuture.completedStage(ApiVerdict.CHANGED);
        }
    }

    private static ApiRuling judge(ApiGate gate, String body) throws Exception {
        return gate.judge(REQUEST, body.getBytes(StandardCharsets.UTF_8))
                .toCompletableFuture()
                .get();
    }

    private static String changed(ApiRuling ruling) {
        return ruling instanceof ApiRuling.WithBody b
                ? new String(b.json(), StandardCharsets.UTF_8)
                : ruling.toString();
    }

    @Test
    void change_keepsUnknownMembersNumbersAndOrder() throws Exception {
        String body = "{\"z\":1.10,\"a\":123456789012345678901234567890,\"m\":{\"y\":null,\"b\":[1e3,-0.00]},"
                + "\"ä\\u0000\":\"\\u00e4</x>\",\"d\":0.1234567890123456789012345678901234567890";
        assertThat(changed(judge(new ApiGate(List.of(new Marker("new", false)), List.of()), body + "}")))
                .isEqualTo("{\"z\":1.10,\"a\":123456789012345678901234567890,\"m\":{\"y\":null,\"b\":[1E+3,0.00]},"
                        + "\"ä\\u0000\":\"ä</x>\",\"d\":0.1234567890123456789012345678901234567890,\"new\":true}");
    }

    @Test
    void policies_seeWhatTheOnesBeforeLeft() throws Exception {
        ApiGate gate =
                new ApiGate(List.of(new Marker("a", false), new Marker("b", false), new Marker("a", true)), List.of());
        assertThat(judge(gate, "{}")).isEqualTo(new ApiRuling.Refusal(403, "a"));
        ApiGate passing = new ApiGate(List.of(new Marker("a", false), new Marker("b", false)), List.of());
        assertThat(judge(passing, "{\"a\":1,\"b\":2}")).isEqualTo(new ApiRuling.AsItCame());
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "[]", "null", "3", "\"x\""})
    void whatTheEngineRefusesAnyway_passes(String body) throws Exception {
        assertThat(judge(new ApiGate(List.of(new Marker("a", true)), List.of()), body))
                .isEqualTo(new ApiRuling.AsItCame());
    }

    @ParameterizedTest
    @ValueSource(strings = {"{", "{} {}", "{}x", "{\"a\":1,\"a\":2}", "{\"a\":01}", "{a:1}", "{\"a\":NaN}", "{} // x"})
    void whatTheEngineCouldReadOtherwise_isRefused(String body) throws Exception {
        assertThat(judge(new ApiGate(List.of(new Marker("a", true)), List.of()), body))
                .isInstanceOfSatisfying(
                        ApiRuling.Refusal.class, r -> assertThat(r.status()).isEqualTo(400));
    }

    @Test
    void deepNesting_isRefused() throws Exception {
        String deep = "{\"a\":" + "[".repeat(5000) + "]".repeat(5000) + "}";
        assertThat(judge(new ApiGate(List.of(new Marker("a", true)), List.of()), deep))
                .isInstanceOf(ApiRuling.Refusal.class);
    }

    @Test
    void failingPolicy_failsTheStage() throws Exception {
        ApiPolicy broken = new ApiPolicy() {
            @Override
            public boolean concerns(ApiRequest request) {
                return true;
            }

            @Override
            public CompletionStage<ApiVerdict> judge(ApiRequest request, ObjectNode body) {
                throw new IllegalStateException("test");
            }
        };
        try {
            judge(new ApiGate(List.of(broken), List.of()), "{}");
            throw new AssertionError("no failure");
        } catch (ExecutionException e) {
            assertThat(e).hasRootCauseMessage("test");
        }
    }
}
