package dev.longshore.config;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

class JsonEditTest {
    private static final String FILE = """
            {
              // mine
              "cpus": 2, // as many as that
              "unknown": {"a": [1, 2.50, 1e3], "b": null},

              /* the network */
              "network": {
                "mtu": 1500,
                "ipv6": "off",
              }
            }
            """;

    @Test
    void valueThatIsThere_isReplacedInItsPlace() throws Exception {
        assertThat(set(FILE, "network.mtu", 9000)).isEqualTo(FILE.replace("1500", "9000"));
        assertThat(set("{\"cpus\":2}", "cpus", "x\"y")).isEqualTo("{\"cpus\":\"x\\\"y\"}");
    }

    @Test
    void valueThatIsNotThere_isAddedBehindTheLast() throws Exception {
        assertThat(set(FILE, "network.ping", false))
                .isEqualTo(FILE.replace("\"off\",", "\"off\",\n    \"ping\": false,"));
        assertThat(set("{\"a\": 1}", "b", List.of("x", "y"))).isEqualTo("{\"a\": 1, \"b\": [\"x\",\"y\"]}");
        assertThat(set("{\"a\": 1}", "b.c.d", 1)).isEqualTo("{\"a\": 1, \"b\": { \"c\": { \"d\": 1 } }}");
        assertThat(set("{}", "a", 1)).isEqualTo("{\n  \"a\": 1\n}");
        assertThat(set("{\n}\n", "a", 1)).isEqualTo("{\n  \"a\": 1\n}\n");
        assertThat(set("{ // nothing yet\n}", "a", 1)).isEqualTo("{\n  \"a\": 1 // nothing yet\n}");
        assertThat(set("{\r\n\t\"x\": 1\r\n}", "a", 1)).isEqualTo("{\r\n\t\"x\": 1,\r\n\t\"a\": 1\r\n}");
        assertThat(set("{\"Network\": {}}", "network.ping", true)).isEqualTo("{\"Network\": {\n  \"ping\": true\n}}");
    }

    @Test
    void valueThatIsThere_isTakenOutWithItsComma() throws Exception {
        assertThat(unset(FILE, "cpus")).isEqualTo(FILE.replace("  \"cpus\": 2, // as many", "  // as many"));
        assertThat(unset(FILE, "network.mtu")).isEqualTo(FILE.replace("    \"mtu\": 1500,\n", ""));
        assertThat(unset(FILE, "network.ipv6")).isEqualTo(FILE.replace("    \"ipv6\": \"off\",\n", ""));
        assertThat(unset(FILE, "nothing")).isEqualTo(FILE);
        assertThat(unset("{\"a\": 1}", "a")).isEqualTo("{}");
        assertThat(unset("{\"a\": 1, \"b\": 2}", "a")).isEqualTo("{\"b\": 2}");
        assertThat(unset("{\n  \"a\": 1,\n  \"b\": 2\n}", "b")).isEqualTo("{\n  \"a\": 1\n}");
        assertThat(unset("{\"a\": 1 /*,*/ , \"b\": \"x,\\\"y\"}", "b")).isEqualTo("{\"a\": 1 /*,*/ }");
    }

    @Test
    void severalNamesOfOneSetting_becomeOne() throws Exception {
        JsonEdit edit = new JsonEdit("{\"Cpus\": 1, \"x\": 0, \"vm\": {\"cpus\": 2}, \"cpus\": 3}");

        String set = edit.set(p -> p.equalsIgnoreCase("cpus") || p.equals("vm.cpus"), "cpus", 7)
                .text();

        assertThat(set).isEqualTo("{\"x\": 0, \"vm\": {}, \"cpus\": 7}");
    }

    @Test
    void nameWithADot_isNoPath() throws Exception {
        assertThat(set("{\"network.mtu\": 1}", "network.mtu", 2))
                .isEqualTo("{\"network.mtu\": 1, \"network\": { \"mtu\": 2 }}");
        assertThat(unset("{\"network.mtu\": 1}", "network.mtu")).isEqualTo("{\"network.mtu\": 1}");
    }

    /** Any sequence of edits against a map, with the text as it comes out read anew each time. */
    @Test
    void randomEdits_doWhatAMapDoes() throws Exception {
        for (long seed = 0; seed < 500; seed++) {
            Random random = new Random(seed);
            Map<String, Integer> model = new TreeMap<>();
            String text = randomFile(random, model);
            for (int i = 0; i < 12; i++) {
                String path = (random.nextBoolean() ? "o." : "") + (char) ('a' + random.nextInt(4));
                if (random.nextInt(3) == 0) {
                    model.remove(path);
                    text = unset(text, path);
                } else {
                    model.put(path, i);
                    text = set(text, path, i);
                }
                assertThat(values("", JsonReader.read(text), new TreeMap<>()))
                        .as("seed %s: %s", seed, text)
                        .isEqualTo(model);
                assertThat(text).as("seed %s", seed).contains("/* kept */");
            }
        }
    }

    private static String randomFile(Random random, Map<String, Integer> model) {
        List<String> top = new ArrayList<>();
        List<String> inner = new ArrayList<>();
        for (char c = 'a'; c < 'e'; c++) {
            if (random.nextBoolean()) {
                model.put(String.valueOf(c), 100);
                top.add("\"" + c + "\"" + blank(random) + ":" + blank(random) + "100");
            }
            if (random.nextBoolean()) {
                model.put("o." + c, 200);
                inner.add("\"" + c + "\":200");
            }
        }
        String comma = blank(random) + "," + blank(random);
        String object = "\"o\": {" + blank(random) + String.join(comma, inner)
                + (random.nextBoolean() && !inner.isEmpty() ? "," : "") + blank(random) + "}";
        top.add(random.nextInt(top.size() + 1), object);
        return "{/* kept */" + blank(random) + String.join(comma, top) + (random.nextBoolean() ? "," : "")
                + blank(random) + "}";
    }

    private static String blank(Random random) {
        return List.of("", " ", "\n", "\n  ", " // c, \"x\"\n", "/*,}*/").get(random.nextInt(6));
    }

    private static Map<String, Integer> values(String prefix, JsonTree.Obj object, Map<String, Integer> into) {
        for (JsonTree.Member m : object.members()) {
            if (m.value() instanceof JsonTree.Obj inner) {
                values(prefix + m.name() + ".", inner, into);
            } else if (m.value() instanceof JsonTree.Int i) {
                into.put(prefix + m.name(), (int) i.value());
            }
        }
        return into;
    }

    private static String set(String text, String path, Object json) throws Exception {
        return new JsonEdit(text).set(path::equals, path, json).text();
    }

    private static String unset(String text, String path) throws Exception {
        return new JsonEdit(text).unset(path::equals).text();
    }
}
