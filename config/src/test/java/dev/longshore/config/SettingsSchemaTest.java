package dev.longshore.config;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Set;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** The shipped schemas are those of the table. With {@code -Dschema.write=true} they are written anew. */
class SettingsSchemaTest {
    private static final Path RESOURCES = Path.of("src/main/resources/dev/longshore/config");

    @Test
    void shippedSchemas_areMadeFromTheTable() throws Exception {
        if (Boolean.getBoolean("schema.write")) {
            Files.writeString(RESOURCES.resolve(SettingsSchema.USER_RESOURCE), SettingsSchema.makeUser());
            Files.writeString(RESOURCES.resolve(SettingsSchema.ADMIN_RESOURCE), SettingsSchema.makeAdmin());
        }
        assertThat(Files.readString(RESOURCES.resolve(SettingsSchema.USER_RESOURCE)))
                .isEqualTo(SettingsSchema.makeUser());
        assertThat(Files.readString(RESOURCES.resolve(SettingsSchema.ADMIN_RESOURCE)))
                .isEqualTo(SettingsSchema.makeAdmin());
        assertThat(SettingsSchema.user()).isEqualTo(SettingsSchema.makeUser());
        assertThat(SettingsSchema.admin()).isEqualTo(SettingsSchema.makeAdmin());
    }

    @Test
    void everySetting_isDescribed_andItsRangeIsWhatTheCodeAccepts() {
        JsonNode definitions = new JsonMapper().readTree(SettingsSchema.user()).get("$defs");
        assertThat(definitions.size()).isEqualTo(SettingTable.ALL.size());
        for (Setting<?> s : SettingTable.ALL) {
            JsonNode definition = definitions.get(s.key());
            assertThat(definition.get("description").asString()).as(s.key()).isNotBlank();
            if (definition.has("minimum")) {
                int least = definition.get("minimum").asInt();
                int greatest = definition.get("maximum").asInt();
                assertThat(accepts(s, least)).isTrue();
                assertThat(accepts(s, greatest)).isTrue();
                assertThat(accepts(s, least - 1)).isFalse();
                assertThat(accepts(s, greatest + 1)).isFalse();
            }
            if (definition.has("enum")) {
                definition.get("enum").forEach(word -> assertThat(accepts(s, word.asString()))
                        .as("%s %s", s, word)
                        .isTrue());
                assertThat(accepts(s, "something else")).isFalse();
            }
            if (definition.has("pattern")) {
                Pattern pattern = Pattern.compile(definition.get("pattern").asString());
                String fallback = definition.get("default").asString();
                assertThat(pattern.matcher(fallback).find()).as(s.key()).isTrue();
                assertThat(accepts(s, fallback)).isTrue();
            }
        }
    }

    @Test
    void everyName_ofTheFiles_isInTheSchema() {
        JsonNode user = new JsonMapper().readTree(SettingsSchema.user());
        JsonNode admin = new JsonMapper().readTree(SettingsSchema.admin());
        Set<String> seen = new HashSet<>();
        for (Setting<?> s : SettingTable.ALL) {
            assertThat(find(user, s.key())).as(s.key()).isNotNull();
            s.spellings().forEach(n -> assertThat(find(user, n)).as(n).isNotNull());
            assertThat(find(admin, s.key())).as(s.key()).isNotNull();
            s.adminPaths().forEach(n -> assertThat(find(admin, n)).as(n).isNotNull());
            assertThat(seen.add(s.key())).as("two settings %s", s.key()).isTrue();
            s.spellings()
                    .forEach(n ->
                            assertThat(seen.add(n)).as("two settings %s", n).isTrue());
        }
        assertThat(find(admin, "proxy.locked")).isNotNull();
        assertThat(find(admin, "PortBindingBehavior")).isNotNull();
    }

    private static JsonNode find(JsonNode schema, String path) {
        JsonNode at = schema;
        for (String name : path.split("\\.", -1)) {
            at = at.get("properties").get(name);
        }
        return at;
    }

    private static boolean accepts(Setting<?> setting, Object json) {
        JsonTree tree = json instanceof Integer i
                ? new JsonTree.Int(JsonTree.Place.NONE, i)
                : new JsonTree.Text(JsonTree.Place.NONE, (String) json);
        try {
            setting.type().read(tree);
            return true;
        } catch (IllegalArgumentException e) {
            return false;
        }
    }
}
