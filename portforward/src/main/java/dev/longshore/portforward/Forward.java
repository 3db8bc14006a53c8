package dev.longshore.portforward;

import dev.longshore.packet.wire.IpAddress;

/**
 * One wish: this host endpoint leads to that address inside the guest. Immutable.
 *
 * @param guest a container's own address, or the guest's
 * @param guestPort 1..65535
 * @param proxy how the service is told who called; not for UDP
 */
public record Forward(HostEndpoint host, IpAddress guest, int guestPort, ProxyProtocol proxy) {
    public Forward {
        if (proxy != ProxyProtocol.NONE && host.protocol() == Protocol.UDP) {
            throw new IllegalArgumentException("the PROXY protocol is not for UDP");
        }
        if (guestPort < 1 || guestPort > 65535) {
            throw new IllegalArgumentException("guest port " + guestPort);
        }
    }

    /** Without the PROXY protocol. */
    public Forward(HostEndpoint host, IpAddress guest, int guestPort) {
        this(host, guest, guestPort, ProxyProtocol.NONE);
    }

    Forward withHost(HostEndpoint other) {
        return new Forward(other, guest, guestPort, proxy);
    }

    /** As in {@code tcp 0.0.0.0:8080 -> 172.17.0.2:80}. */
    @Override
    public String toString() {
        String to = guest.isV4() ? guest.toString() : "[" + guest + "]";
        return host.protocol().word() + " " + host.text() + " -> " + to + ":" + guestPort;
    }
}
