package dev.longshore.engine;

/** How the Engine is. Immutable. */
public sealed interface EngineState {
    /** It is expected to answer soon; callers wait. */
    record Starting() implements EngineState {}

    /** It answers. */
    record Ready(EngineFacts facts) implements EngineState {}

    /** It is not there and not expected; {@code reason} is for the user. */
    record Down(String reason) implements EngineState {}
}
