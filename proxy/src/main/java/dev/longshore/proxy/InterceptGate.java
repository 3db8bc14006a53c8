package dev.longshore.proxy;

import dev.longshore.proxy.audit.AuditRecord;
import dev.longshore.proxy.message.BadMessage;
import dev.longshore.proxy.message.BodyFraming;
import dev.longshore.proxy.message.RequestHead;
import org.jspecify.annotations.Nullable;

/**
 * For requests that were meant for an origin: origin-form and {@code *} only, and the destination is the connection's, as far as Host
 * agrees with it. As strict as {@link RequestGate}, for the same reasons. Immutable.
 */
final class InterceptGate implements Gate {
    private final String pseudonym;
    private final Intercepted to;

    InterceptGate(String pseudonym, Intercepted to) {
        this.pseudonym = pseudonym;
        this.to = to;
    }

    @Override
    public AuditRecord.Kind kind() {
        return AuditRecord.Kind.TAKEN_REQUEST;
    }

    @Override
    public Admission admit(RequestHead head) throws BadMessage {
        BodyFraming framing = BodyFraming.ofRequest(head);
        Authority host = RequestGate.hostOf(head);
        RequestGate.refuseLoop(head, pseudonym);
        boolean asterisk = head.target().equals("*");
        if (asterisk && !head.method().equals("OPTIONS")) {
            throw BadMessage.badRequest("'*' is a target of OPTIONS only");
        }
        if (!asterisk && !head.target().startsWith("/")) {
            throw BadMessage.badRequest("this connection leads to a server, not to a proxy");
        }
        if (head.target().indexOf('#') >= 0) {
            throw BadMessage.badRequest("a request target has no fragment");
        }
        return new Admission.Forward(to.towards(nameOf(host)), hostField(host), head.target(), framing);
    }

    private static @Nullable String nameOf(@Nullable Authority host) {
        return host == null ? null : host.name();
    }

    /** As it was said; an HTTP/1.0 request may have none, but the origin gets HTTP/1.1. */
    private String hostField(@Nullable Authority host) {
        return host != null ? host.hostField() : new Authority(null, to.address(), to.port()).hostField();
    }
}
