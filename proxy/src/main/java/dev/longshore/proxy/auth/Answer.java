package dev.longshore.proxy.auth;

import org.jspecify.annotations.Nullable;

/** What to do with a request to a proxy. Immutable; never printed. */
public sealed interface Answer {
    /** Send it with this Proxy-Authorization, or without one. */
    record Send(@Nullable String value) implements Answer {
        @Override
        public String toString() {
            return "send";
        }
    }

    /** Give up; {@code text} is for the user. */
    record Refuse(String text) implements Answer {}
}
