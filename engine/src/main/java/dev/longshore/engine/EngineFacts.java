package dev.longshore.engine;

/**
 * What the Engine says about itself. Immutable.
 *
 * @param version of the Engine: {@code 26.1.5+dfsg1}
 * @param apiVersion the newest it speaks: {@code 1.45}
 * @param minApiVersion the oldest it speaks
 * @param os {@code linux}
 * @param architecture in Go's words: {@code amd64}
 * @param kernel of the guest
 */
public record EngineFacts(
        String version, String apiVersion, String minApiVersion, String os, String architecture, String kernel) {}
