package dev.longshore.engine.policy;

import tools.jackson.databind.JsonNode;

/** Corrects some of the Engine's JSON answers. Called on the connections' event loop: must not block. */
public interface AnswerView {
    /** Whether the answer to this request has to be seen. Asked for every request. */
    boolean concerns(ApiRequest request);

    /**
     * Corrects the answer, which has status 200.
     *
     * @param body changed in place, if at all
     * @return whether it was changed
     */
    boolean correct(ApiRequest request, JsonNode body);
}
