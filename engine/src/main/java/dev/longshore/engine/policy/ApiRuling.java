package dev.longshore.engine.policy;

/** What all policies together decided. */
public sealed interface ApiRuling {
    /** The request goes on as it came. Immutable. */
    record AsItCame() implements ApiRuling {}

    /** The request goes on with another body. Immutable as long as nobody writes to what {@link #json} gives. */
    final class WithBody implements ApiRuling {
        private final byte[] json;

        WithBody(byte[] json) {
            this.json = json;
        }

        /** UTF-8; not a copy. */
        public byte[] json() {
            return json;
        }
    }

    /** The caller gets this status, 400..599, and this text. Immutable. */
    record Refusal(int status, String message) implements ApiRuling {}
}
