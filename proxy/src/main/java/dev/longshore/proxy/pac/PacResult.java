package dev.longshore.proxy.pac;

import dev.longshore.proxy.route.Hop;
import java.util.List;

/** What came of asking a script. Immutable. */
public sealed interface PacResult {
    /**
     * It answered.
     *
     * @param text as returned, on one line and not for long
     * @param hops what of it is understood; empty if nothing is
     */
    record Said(String text, List<Hop> hops) implements PacResult {
        public Said {
            hops = List.copyOf(hops);
        }
    }

    /** There is no script, or it failed; for the user. */
    record Failed(String reason) implements PacResult {}
}
