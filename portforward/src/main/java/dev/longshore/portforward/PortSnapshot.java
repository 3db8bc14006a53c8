package dev.longshore.portforward;

/**
 * One line of {@code ports ls}. Immutable.
 *
 * @param requested what was asked for
 * @param host what is bound
 * @param active connections, or flows of UDP, open now
 * @param total the same since the port was exposed
 * @param bytesToGuest payload, since the port was exposed
 * @param bytesFromGuest payload, since the port was exposed
 * @param note why nothing listens, or since when it doesn't; empty if all is well
 */
public record PortSnapshot(
        long id,
        Forward requested,
        HostEndpoint host,
        Owner owner,
        long active,
        long total,
        long bytesToGuest,
        long bytesFromGuest,
        String note) {
    /** As in {@code tcp 0.0.0.0:8080 -> 172.17.0.2:80}. */
    public String text() {
        return requested.withHost(host).toString();
    }
}
