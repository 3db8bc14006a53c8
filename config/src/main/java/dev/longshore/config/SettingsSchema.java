package dev.longshore.config;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import tools.jackson.databind.SerializationFeature;
import tools.jackson.databind.json.JsonMapper;

/**
 * The JSON schemas of both settings files (2020-12), made from the {@link SettingTable}. The build ships them as resources,
 * and a test holds those to what is made here.
 */
public final class SettingsSchema {
    private static final String DIALECT = "https://json-schema.org/draft/2020-12/schema";

    /** Of {@code settings.json}. */
    static final String USER_RESOURCE = "settings.schema.json";

    /** Of {@code admin-settings.json}. */
    static final String ADMIN_RESOURCE = "admin-settings.schema.json";

    private SettingsSchema() {}

    /** The shipped schema of {@code settings.json}. */
    public static String user() {
        return resource(USER_RESOURCE);
    }

    /** The shipped schema of {@code admin-settings.json}. */
    public static String admin() {
        return resource(ADMIN_RESOURCE);
    }

    private static String resource(String name) {
        try (InputStream in = SettingsSchema.class.getResourceAsStream(name)) {
            if (in == null) {
                throw new IllegalStateException(name + " is missing from the build");
            }
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static String makeUser() {
        Map<String, Object> schema = head(
                "Longshore settings.json",
                "Every key is optional. Docker Desktop's names and Longshore's own; the first letter of each may be a"
                        + " capital. Unknown keys are kept, and warned of.");
        Map<String, Object> properties = new LinkedHashMap<>();
        for (Setting<?> s : SettingTable.ALL) {
            put(properties, s.key(), userValue(s));
            s.spellings().forEach(spelling -> put(properties, spelling, userValue(s)));
        }
        Map<String, Object> only = new LinkedHashMap<>();
        only.put("type", "boolean");
        only.put("description", "Docker Desktop's other form of defaultNetworkingMode; false says nothing.");
        put(properties, "IPv4Only", only);
        put(properties, "IPv6Only", only);
        schema.put("properties", properties);
        schema.put("$defs", definitions());
        return text(schema);
    }

    static String makeAdmin() {
        Map<String, Object> schema = head(
                "Longshore admin-settings.json",
                "An administrator's settings: locked ones count before everything, others where the user has set nothing."
                        + " Unknown keys are warned of; a lock that can't be understood keeps Longshore from starting.");
        Map<String, Object> properties = new LinkedHashMap<>();
        properties.put("configurationFileVersion", Map.of("type", "integer", "minimum", 1));
        for (Setting<?> s : SettingTable.ALL) {
            if (s.group() == null) {
                Map<String, Object> lockable = lockable(s);
                put(properties, s.key(), lockable);
                s.spellings().forEach(spelling -> put(properties, spelling, lockable));
                s.adminPaths().forEach(path -> put(properties, path, lockable));
            } else {
                put(properties, s.key(), Map.of("$ref", "#/$defs/" + s.key()));
            }
        }
        SettingTable.GROUPS.forEach(group -> lockGroup(group, properties));
        properties.put("filesharingAllowedDirectories", allowedDirectories());
        schema.put("properties", properties);
        schema.put("$defs", definitions());
        return text(schema);
    }

    private static Map<String, Object> head(String title, String description) {
        Map<String, Object> schema = new LinkedHashMap<>();
        schema.put("$schema", DIALECT);
        schema.put("title", title);
        schema.put("description", description);
        schema.put("type", "object");
        return schema;
    }

    private static Map<String, Object> definitions() {
        Map<String, Object> definitions = new LinkedHashMap<>();
        SettingTable.ALL.forEach(s -> definitions.put(s.key(), definition(s)));
        return definitions;
    }

    private static <T> Map<String, Object> definition(Setting<T> setting) {
        Map<String, Object> definition = new LinkedHashMap<>();
        definition.put("description", setting.description() + " " + sentence(setting.whenItCounts()));
        definition.putAll(setting.type().schema());
        definition.put("default", setting.type().written(setting.fallback()));
        return definition;
    }

    private static String sentence(String text) {
        return text.substring(0, 1).toUpperCase(Locale.ROOT) + text.substring(1) + ".";
    }

    private static Map<String, Object> userValue(Setting<?> setting) {
        return Map.of("$ref", "#/$defs/" + setting.key());
    }

    private static Map<String, Object> lockable(Setting<?> setting) {
        Map<String, Object> properties = new LinkedHashMap<>();
        properties.put("locked", Map.of("type", "boolean"));
        properties.put("value", Map.of("$ref", "#/$defs/" + setting.key()));
        Map<String, Object> lockable = new LinkedHashMap<>();
        lockable.put("type", "object");
        lockable.put("properties", properties);
        lockable.put("required", List.of("locked", "value"));
        return lockable;
    }

    private static void lockGroup(String group, Map<String, Object> properties) {
        @SuppressWarnings("unchecked") // made by put
        Map<String, Object> object = (Map<String, Object>) properties.get(group);
        if (object == null) {
            throw new IllegalStateException(group + " has no members");
        }
        put(properties, group + ".locked", Map.of("type", "boolean"));
        object.put("required", List.of("locked"));
    }

    private static Map<String, Object> allowedDirectories() {
        Map<String, Object> properties = new LinkedHashMap<>();
        properties.put("path", Map.of("type", "string", "pattern", "^(/|\\$(HOME|TMP|TEMP)(/|$))"));
        properties.put("sharedByDefault", Map.of("type", "boolean", "default", false));
        Map<String, Object> item = new LinkedHashMap<>();
        item.put("type", "object");
        item.put("properties", properties);
        item.put("required", List.of("path"));
        Map<String, Object> list = new LinkedHashMap<>();
        list.put(
                "description",
                "What users may share at most; always binding. sharedByDefault: shared where the user says nothing.");
        list.put("type", "array");
        list.put("items", item);
        return list;
    }

    /** A schema at a path of names, in objects that are made on the way. */
    private static void put(Map<String, Object> properties, String path, Object schema) {
        Map<String, Object> at = properties;
        String[] names = path.split("\\.", -1);
        for (int i = 0; i < names.length - 1; i++) {
            at = propertiesOf(at, names[i]);
        }
        String last = names[names.length - 1];
        at.put(last, schema);
        if (names.length == 1) { // as Docker Desktop's newer file has it
            at.put(last.substring(0, 1).toUpperCase(Locale.ROOT) + last.substring(1), schema);
        }
    }

    @SuppressWarnings("unchecked") // every object here was made by this method
    private static Map<String, Object> propertiesOf(Map<String, Object> properties, String name) {
        Map<String, Object> object = (Map<String, Object>) properties.computeIfAbsent(name, _ -> {
            Map<String, Object> made = new LinkedHashMap<>();
            made.put("type", "object");
            made.put("properties", new LinkedHashMap<String, Object>());
            return made;
        });
        return (Map<String, Object>) Objects.requireNonNull(object.get("properties"));
    }

    private static String text(Map<String, Object> schema) {
        return JsonMapper.builder()
                        .enable(SerializationFeature.INDENT_OUTPUT)
                        .enable(SerializationFeature.ORDER_MAP_ENTRIES_BY_KEYS)
                        .build()
                        .writeValueAsString(schema)
                + "\n";
    }
}
