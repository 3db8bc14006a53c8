package dev.longshore.config;

import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** JSON with the place of each value, which Jackson's own tree does not keep. Immutable. */
sealed interface JsonTree {
    Place at();

    /**
     * Where a value stands in its text.
     *
     * @param line 1 and up; 0 for a value that is in no text
     * @param column 1 and up
     * @param start the index of its first char
     * @param end the index behind its last char
     */
    record Place(int line, int column, int start, int end) {
        static final Place NONE = new Place(0, 0, 0, 0);
    }

    /**
     * An object.
     *
     * @param members in their order; of those with the same name the last counts
     */
    record Obj(Place at, List<Member> members) implements JsonTree {
        public Obj {
            members = List.copyOf(members);
        }

        @Nullable
        Member find(String name) {
            return byName().get(name);
        }

        /** Those that count. */
        Collection<Member> counting() {
            return byName().values();
        }

        private Map<String, Member> byName() {
            Map<String, Member> last = new LinkedHashMap<>();
            members.forEach(m -> last.put(m.name, m));
            return last;
        }
    }

    /**
     * One name and its value.
     *
     * @param start the index of the name's quote
     */
    record Member(String name, int start, JsonTree value) {}

    record Arr(Place at, List<JsonTree> items) implements JsonTree {
        public Arr {
            items = List.copyOf(items);
        }
    }

    record Text(Place at, String value) implements JsonTree {}

    record Bool(Place at, boolean value) implements JsonTree {}

    /** A number that fits a long and has no fraction. */
    record Int(Place at, long value) implements JsonTree {}

    /** null, a fraction, or a number too large: nothing any setting takes. */
    record Other(Place at) implements JsonTree {}
}
