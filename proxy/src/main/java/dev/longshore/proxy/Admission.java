package dev.longshore.proxy;

import dev.longshore.proxy.message.BodyFraming;
import dev.longshore.vpnkit.hostsocket.Destination;

/** What {@link RequestGate} lets through, and as what. Immutable. */
sealed interface Admission {
    /** CONNECT. */
    record Tunnel(Destination destination) implements Admission {}

    /**
     * A request to an origin.
     *
     * @param hostField the Host to send: the target's, whatever the client wrote (RFC 9112 §3.2.2)
     * @param target origin-form or asterisk-form
     */
    record Forward(Destination destination, String hostField, String target, BodyFraming framing)
            implements Admission {}

    /** A request to ourselves; {@code path} begins with '/' or is "*". */
    record Own(String path, BodyFraming framing) implements Admission {}
}
