package dev.longshore.cli;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.StreamSupport;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.SerializationFeature;
import tools.jackson.databind.json.JsonMapper;

/** Settings as text for people, and as JSON for programs. */
final class SettingsText {
    private static final JsonMapper MAPPER =
            JsonMapper.builder().enable(SerializationFeature.INDENT_OUTPUT).build();
    private static final int MAX_COLUMN = 40;

    private SettingsText() {}

    static List<String> table(List<SettingRow> settings) {
        List<String[]> rows = new ArrayList<>();
        rows.add(new String[] {"KEY", "VALUE", "SOURCE", "TAKES EFFECT"});
        for (SettingRow s : settings) {
            rows.add(new String[] {s.key(), value(s), source(s), s.effect() + (s.pending() ? ", waits for it" : "")});
        }
        int key = width(rows, 0);
        int value = width(rows, 1);
        int source = width(rows, 2);
        return rows.stream()
                .map(r -> String.format(
                                Locale.ROOT, "%-" + key + "s  %-" + value + "s  %-" + source + "s  %s", (Object[]) r)
                        .stripTrailing())
                .toList();
    }

    private static int width(List<String[]> rows, int column) {
        return Math.min(
                MAX_COLUMN,
                rows.stream().mapToInt(r -> r[column].length()).max().orElse(0));
    }

    /** An object is shown by its beginning; {@code settings get} has all of it. */
    private static String value(SettingRow s) {
        String plain = plain(s.valueJson());
        if (s.valueJson().startsWith("{") && plain.length() > MAX_COLUMN) {
            return plain.substring(0, MAX_COLUMN - 1) + "…";
        }
        return plain.isEmpty() ? "\"\"" : plain;
    }

    private static String source(SettingRow s) {
        return s.source() + (s.locked() ? ", locked" : "");
    }

    /** A text without quotes, a list with commas: what {@code set} takes. */
    static String plain(String json) {
        JsonNode node = MAPPER.readTree(json);
        if (node.isString()) {
            return node.asString();
        }
        return node.isArray()
                ? String.join(
                        ",",
                        StreamSupport.stream(node.spliterator(), false)
                                .map(JsonNode::asString)
                                .toList())
                : node.toString();
    }

    static String json(SettingRow setting) {
        return MAPPER.writeValueAsString(map(setting));
    }

    /** An array. */
    static String json(List<SettingRow> settings) {
        return MAPPER.writeValueAsString(
                settings.stream().map(SettingsText::map).toList());
    }

    private static Map<String, Object> map(SettingRow s) {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("key", s.key());
        json.put("value", MAPPER.readTree(s.valueJson()));
        json.put("default", MAPPER.readTree(s.defaultJson()));
        json.put("source", s.source());
        json.put("locked", s.locked());
        json.put("lockedBy", s.lockedBy());
        json.put("takesEffect", s.effect());
        json.put("pending", s.pending());
        json.put("otherNames", s.otherNames());
        json.put("description", s.description());
        return json;
    }
}
