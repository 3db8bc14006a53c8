package dev.longshore.engine;

import java.time.Duration;

/**
 * Bounds of an {@link Engine}. Immutable.
 *
 * @param connections to the API socket at a time, waiting ones included; more are answered by 503
 * @param hold how long a connection waits for an Engine that is starting
 * @param probeTimeout for the answers to one probe
 * @param pollStarting between two probes while the Engine is starting
 * @param pollReady between two probes while it answers
 * @param misses probes in a row without an answer until a ready Engine counts as starting again
 */
public record EngineLimits(
        int connections, Duration hold, Duration probeTimeout, Duration pollStarting, Duration pollReady, int misses) {
    public static final EngineLimits DEFAULT = new EngineLimits(
            2048, Duration.ofSeconds(60), Duration.ofSeconds(5), Duration.ofMillis(150), Duration.ofSeconds(15), 3);
}
