package dev.longshore.engine.policy;

import java.util.ArrayDeque;
import java.util.Deque;

/** Absolute paths as Go's path.Clean makes them. */
final class GoPath {
    private GoPath() {}

    /** Without empty and dot segments, and without a slash at the end but for the root. */
    static String clean(String absolute) {
        Deque<String> kept = new ArrayDeque<>();
        for (String segment : absolute.split("/", -1)) {
            if (segment.equals("..")) {
                kept.pollLast();
            } else if (!segment.isEmpty() && !segment.equals(".")) {
                kept.add(segment);
            }
        }
        return "/" + String.join("/", kept);
    }
}
