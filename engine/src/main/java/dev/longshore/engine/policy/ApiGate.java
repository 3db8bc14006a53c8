package dev.longshore.engine.policy;

import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * All policies, in their order: each sees what the one before left, and the first refusal counts. And all views of answers.
 * Immutable; thread-safe if they are.
 */
public final class ApiGate {
    /** Lets everything pass. */
    public static final ApiGate OPEN = new ApiGate(List.of(), List.of());

    private final List<ApiPolicy> policies;
    private final List<AnswerView> views;

    public ApiGate(List<ApiPolicy> policies, List<AnswerView> views) {
        this.policies = List.copyOf(policies);
        this.views = List.copyOf(views);
    }

    /** Whether {@link #judge} has to be asked, with the request's whole body. */
    public boolean concerns(ApiRequest request) {
        for (ApiPolicy policy : policies) {
            if (policy.concerns(request)) {
                return true;
            }
        }
        return false;
    }

    /**
     * Decides about a request.
     *
     * @param body without chunk framing
     * @return completes on any thread; fails if a policy did
     */
    public CompletionStage<ApiRuling> judge(ApiRequest request, byte[] body) {
        if (body.length == 0) {
            return done(new ApiRuling.AsItCame()); // the Engine knows what to say about that
        }
        try {
            JsonNode root = GoJson.parse(body);
            return root instanceof ObjectNode object
                    ? judge(request, object, 0, false)
                    : done(new ApiRuling.AsItCame()); // the same
        } catch (JacksonException e) {
            // The Engine might read more into it than this parser does.
            return done(new ApiRuling.Refusal(400, "invalid JSON: " + e.getOriginalMessage()));
        }
    }

    private CompletionStage<ApiRuling> judge(ApiRequest request, ObjectNode body, int from, boolean changed) {
        for (int i = from; i < policies.size(); i++) {
            if (policies.get(i).concerns(request)) {
                int next = i + 1;
                return verdict(policies.get(i), request, body).thenCompose(verdict -> switch (verdict) {
                    case ApiVerdict.Pass _ -> judge(request, body, next, changed);
                    case ApiVerdict.Changed _ -> judge(request, body, next, true);
                    case ApiVerdict.Refused r -> done(new ApiRuling.Refusal(r.status(), r.message()));
                });
            }
        }
        return done(changed ? new ApiRuling.WithBody(GoJson.bytes(body)) : new ApiRuling.AsItCame());
    }

    /** Whether {@link #corrected} has to be asked, with the whole body of the answer. */
    public boolean concernsAnswer(ApiRequest request) {
        for (AnswerView view : views) {
            if (view.concerns(request)) {
                return true;
            }
        }
        return false;
    }

    /**
     * An answer with status 200 as the caller is to see it.
     *
     * @param body without chunk framing
     * @return empty if there is nothing to correct, or if it is not JSON
     */
    public Optional<byte[]> corrected(ApiRequest request, byte[] body) {
        try {
            JsonNode root = GoJson.parse(body);
            boolean changed = false;
            for (AnswerView view : views) {
                if (view.concerns(request)) {
                    changed |= view.correct(request, root);
                }
            }
            return changed ? Optional.of(GoJson.bytes(root)) : Optional.empty();
        } catch (JacksonException e) {
            return Optional.empty();
        }
    }

    private static CompletionStage<ApiVerdict> verdict(ApiPolicy policy, ApiRequest request, ObjectNode body) {
        try {
            return policy.judge(request, body);
        } catch (GoJson.Ambiguous e) {
            return CompletableFuture.completedStage(new ApiVerdict.Refused(400, String.valueOf(e.getMessage())));
        } catch (RuntimeException e) {
            return CompletableFuture.failedStage(e);
        }
    }

    private static CompletionStage<ApiRuling> done(ApiRuling ruling) {
        return CompletableFuture.completedStage(ruling);
    }
}
