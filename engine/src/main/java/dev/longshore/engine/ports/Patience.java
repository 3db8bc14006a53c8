package dev.longshore.engine.ports;

import java.time.Duration;

/**
 * How long a difference between the Engine's state and the host's listeners may last before it is mended. Immutable.
 *
 * @param missing for a published port nobody listens on: docker-proxy may be about to ask for it, or to have gone with its container
 * @param wrong for a lease whose port is published, but leads elsewhere: the Engine may be moving the container to another network
 * @param stray for a lease that no running container wants: the container may be starting, which takes as long as it likes
 * @param retry after a port could not be bound; doubled each time, up to {@code maxRetry}
 */
record Patience(Duration missing, Duration wrong, Duration stray, Duration retry, Duration maxRetry) {
    static final Patience DEFAULT = new Patience(
            Duration.ofMillis(1500),
            Duration.ofSeconds(5),
            Duration.ofSeconds(60),
            Duration.ofSeconds(5),
            Duration.ofSeconds(60));
}
