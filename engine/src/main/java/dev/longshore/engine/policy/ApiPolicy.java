package dev.longshore.engine.policy;

import java.util.concurrent.CompletionStage;
import tools.jackson.databind.node.ObjectNode;

/** Decides about some of the requests with a JSON body. Called on the connections' event loop: must not block. */
public interface ApiPolicy {
    /** Whether the body has to be seen. Asked for every request. */
    boolean concerns(ApiRequest request);

    /**
     * Decides about a request for which {@link #concerns} is true.
     *
     * @param body as the policy before this one left it. May be changed in place if {@link ApiVerdict.Changed} is the answer
     * @return completes on any thread, soon: the caller waits. A failure is answered by 500 and logged
     */
    CompletionStage<ApiVerdict> judge(ApiRequest request, ObjectNode body);
}
