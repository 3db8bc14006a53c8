package dev.longshore.engine;

import dev.longshore.engine.http.BadMessage;
import dev.longshore.engine.http.Framing;
import dev.longshore.engine.http.RequestHead;
import dev.longshore.engine.http.ResponseHead;
import dev.longshore.engine.policy.ApiRequest;

/** One request, as far as its answer depends on it. Immutable. */
record Exchange(RequestHead head, ApiRequest request, Framing framing) {
    static Exchange of(RequestHead head) throws BadMessage {
        if (head.method().equals("CONNECT")) {
            throw new BadMessage(405, "CONNECT is not for the Docker API");
        }
        return new Exchange(head, ApiRequest.of(head.method(), head.target()), Framing.ofRequest(head));
    }

    boolean isHead() {
        return head.method().equals("HEAD");
    }

    /**
     * True if this answer makes the connection the container's or the session's: what follows, in both directions, is not HTTP.
     * 101 by RFC 9110 §15.2.2; else the Engine's old way, where attach and exec answer 200 and then just go on.
     */
    boolean hijacks(ResponseHead answer, Framing answerFraming) {
        boolean old = answer.status() / 100 == 2
                && answerFraming instanceof Framing.UntilClose
                && (request.posts("/containers/", "/attach") || request.posts("/exec/", "/start"));
        return answer.status() == 101 || old;
    }

    /** HTTP/2 is spoken only to the two services that BuildKit has there: elsewhere it would carry requests past the policies. */
    boolean mayUpgrade() {
        boolean http2 = head.fields().all("Upgrade").stream().anyMatch(p -> p.regionMatches(true, 0, "h2", 0, 2));
        return head.upgrades()
                && (!http2
                        || request.path().equals("/session")
                        || request.path().equals("/grpc"));
    }
}
