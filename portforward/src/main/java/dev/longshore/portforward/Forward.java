package dev.longshore.portforward;

import dev.longshore.packet.wire.IpAddress;

/**
 * One wish: this host endpoint leads to that address inside the guest. Immutable.
 *
 * @param guest a container's own address, or the guest's
 * @param guestPort 1..65535
 */
public record Forward(HostEndpoint host, IpAddress guest, int guestPort) {
    public Forward {
        if (guestPort < 1 || guestPort > 65535) {
            throw new IllegalArgumentException("guest port " + guestPort);
        }
    }

    Forward withHost(HostEndpoint other) {
        return new Forward(other, guest, guestPort);
    }

    /** As in {@code tcp 0.0.0.0:8080 -> 172.17.0.2:80}. */
    @Override
    public String toString() {
        String to = guest.isV4() ? guest.toString() : "[" + guest + "]";
        return host.protocol().word() + " " + host.text() + " -> " + to + ":" + guestPort;
    }
}
