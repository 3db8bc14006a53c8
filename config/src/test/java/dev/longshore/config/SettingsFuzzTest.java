package dev.longshore.config;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Any text as one of the settings files. How to search: {@code ./longshore fuzz}. */
class SettingsFuzzTest {
    private static final Path USER = Path.of("/nowhere/settings.json");
    private static final Path ADMIN = Path.of("/nowhere/admin-settings.json");

    /** What is JSON can be edited, what is edited is read back, and nothing else has changed. */
    @FuzzTest(maxDuration = "2m")
    void settingsFile(byte[] input) throws Exception {
        String text = new String(input, StandardCharsets.UTF_8);
        JsonTree.Obj tree;
        try {
            tree = JsonReader.read(text);
        } catch (JsonReader.MalformedException e) {
            assertThat(e.getMessage()).isNotBlank();
            return;
        }
        assertThat(new SettingsFiles(USER, ADMIN).readWith(text)).isNotNull();
        List<String> others = others(tree);
        JsonEdit edited = new JsonEdit(text).set(p -> p.equals("fuzz.key"), "fuzz.key", 7);
        JsonTree.Obj made = JsonReader.read(edited.text());
        assertThat(others(made)).isEqualTo(others);
        assertThat(value(made)).isEqualTo(7);
        JsonTree.Obj without =
                JsonReader.read(edited.unset(p -> p.equals("fuzz.key")).text());
        assertThat(others(without)).isEqualTo(others);
        assertThat(value(without)).isEqualTo(-1);
    }

    /** No lock that can't be understood passes for none: what is accepted has each lock that the text has. */
    @FuzzTest(maxDuration = "2m")
    void adminFile(byte[] input) {
        JsonTree.Obj tree;
        try {
            tree = JsonReader.read(new String(input, StandardCharsets.UTF_8));
        } catch (JsonReader.MalformedException e) {
            return;
        }
        AdminFile admin = AdminFile.of(ADMIN, tree);
        JsonTree.Member cpus = tree.find("cpus");
        if (cpus != null && admin.problems().isEmpty()) {
            boolean locked = cpus.value() instanceof JsonTree.Obj o
                    && o.find("locked") != null
                    && o.find("locked").value() instanceof JsonTree.Bool b
                    && b.value();
            if (locked) {
                assertThat(admin.isLocked(SettingTable.CPUS)).isTrue();
                assertThat(admin.get(SettingTable.CPUS)).isNotNull();
            }
        }
    }

    /** All values but the one that is edited, in their order, as texts; objects of that path's own name are looked through. */
    private static List<String> others(JsonTree.Obj tree) {
        List<String> all = new ArrayList<>();
        collect("", tree, all);
        return all;
    }

    private static void collect(String prefix, JsonTree.Obj object, List<String> into) {
        for (JsonTree.Member m : object.members()) {
            String path = prefix + "/" + m.name();
            if (m.value() instanceof JsonTree.Obj inner) {
                collect(path, inner, into);
            } else if (!path.equals("/fuzz/key")) {
                into.add(path + "=" + content(m.value()));
            }
        }
    }

    private static String content(JsonTree value) {
        return switch (value) {
            case JsonTree.Text t -> "\"" + t.value();
            case JsonTree.Bool b -> String.valueOf(b.value());
            case JsonTree.Int i -> String.valueOf(i.value());
            case JsonTree.Arr a ->
                a.items().stream().map(SettingsFuzzTest::content).toList().toString();
            case JsonTree.Obj o -> others(o).toString();
            case JsonTree.Other _ -> "?";
        };
    }

    /** Of {@code fuzz.key}; -1 if there is none. */
    private static long value(JsonTree.Obj tree) {
        long found = -1;
        for (JsonTree.Member m : tree.members()) {
            if (m.name().equals("fuzz") && m.value() instanceof JsonTree.Obj inner) {
                for (JsonTree.Member n : inner.members()) {
                    found = n.name().equals("key") && n.value() instanceof JsonTree.Int i ? i.value() : found;
                }
            }
        }
        return found;
    }
}
