package dev.longshore.cli;

import java.util.Map;
import tools.jackson.databind.json.JsonMapper;

/** How Docker Desktop's commands show what they found; the constants are as the user writes them. */
@SuppressWarnings("MemberName") // picocli shows and reads the constants' own names
enum DesktopFormat {
    /** For people. */
    pretty,
    /** For programs: one line. */
    json;

    static String json(Map<String, ?> object) {
        return new JsonMapper().writeValueAsString(object);
    }

    /** A table of names and values. */
    static String pretty(Map<String, String> rows) {
        StringBuilder text = new StringBuilder(String.format("%-20s%s", "Name", "Value"));
        rows.forEach((name, value) -> text.append(String.format("%n%-20s%s", name, value)));
        return text.toString();
    }
}
