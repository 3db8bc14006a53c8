package dev.longshore.config;

import java.util.ArrayList;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.function.BiFunction;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.json.JsonMapper;

/**
 * An {@link EgressPolicy} in JSON. Strict: an unknown key would make a rule fit more than its author thought, so it is refused,
 * and every refusal says where.
 */
record EgressType() implements ValueType<EgressPolicy> {
    private static final JsonMapper MAPPER = new JsonMapper();
    private static final List<String> POLICY_KEYS = List.of("mode", "default", "rules");
    private static final List<String> RULE_KEYS =
            List.of("name", "action", "dryRun", "log", "from", "to", "ports", "protocols");
    private static final List<String> FROM_KEYS = List.of("container", "image", "project", "service", "network");
    private static final String GUEST = "guest";
    private static final int MAX_NAME_CHARS = 80;
    private static final int MAX_GLOB_CHARS = 255;
    private static final String RULE_NAME = "[!-~]([ -~]{0,78}[!-~])?";
    private static final Pattern LABELS = Pattern.compile(
            "(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*");
    private static final String TO_PATTERN = "^[0-9A-Za-z*:._/-]+$";
    private static final String PORTS_PATTERN = "^[0-9]{1,5}(-[0-9]{1,5})?$";

    @Override
    public EgressPolicy read(JsonTree value) {
        Fields policy = new Fields("", value, POLICY_KEYS, "an object {\"default\": …, \"rules\": […]}");
        List<EgressPolicy.Rule> rules = new ArrayList<>();
        Set<String> names = new HashSet<>();
        JsonTree list = policy.get("rules");
        if (list != null) {
            if (!(list instanceof JsonTree.Arr a)) {
                throw bad(".rules", list, "must be a list of rules");
            }
            if (a.items().size() > EgressPolicy.MAX_RULES) {
                throw bad(".rules", list, "has more than " + EgressPolicy.MAX_RULES + " rules");
            }
            for (int i = 0; i < a.items().size(); i++) {
                EgressPolicy.Rule rule = rule(".rules[" + i + "]", a.items().get(i), i + 1);
                if (!names.add(rule.name())) {
                    throw bad(
                            ".rules[" + i + "].name", a.items().get(i), "another rule is called '" + rule.name() + "'");
                }
                rules.add(rule);
            }
        }
        return new EgressPolicy(
                policy.word("mode", EgressPolicy.Mode.values(), EgressPolicy.Mode.ENFORCE),
                policy.word("default", EgressPolicy.Action.values(), EgressPolicy.Action.ALLOW),
                rules);
    }

    private static EgressPolicy.Rule rule(String path, JsonTree value, int number) {
        Fields rule = new Fields(path, value, RULE_KEYS, "a rule {\"action\": …}");
        JsonTree given = rule.get("name");
        String name = given == null ? "rule " + number : ruleName(path + ".name", given);
        EgressPolicy.Action action = rule.word("action", EgressPolicy.Action.values(), null);
        JsonTree protocolList = rule.get("protocols");
        Set<EgressPolicy.Protocol> protocols = protocolList == null
                ? EnumSet.allOf(EgressPolicy.Protocol.class)
                : EnumSet.copyOf(list(path + ".protocols", protocolList, EgressType::protocol));
        JsonTree portList = rule.get("ports");
        List<EgressPolicy.Ports> ports =
                portList == null ? List.of() : list(path + ".ports", portList, EgressType::ports);
        if (portList != null && protocolList != null && protocols.contains(EgressPolicy.Protocol.ICMP)) {
            throw bad(path + ".ports", portList, "pings (icmp) have no ports: make it two rules");
        }
        if (portList != null) {
            protocols.remove(EgressPolicy.Protocol.ICMP);
        }
        JsonTree from = rule.get("from");
        JsonTree to = rule.get("to");
        return new EgressPolicy.Rule(
                name,
                action,
                rule.flag("dryRun", false),
                rule.flag("log", action == EgressPolicy.Action.DENY),
                from == null ? null : from(path + ".from", from),
                to == null ? List.of() : list(path + ".to", to, EgressType::to),
                ports,
                protocols);
    }

    private static String ruleName(String path, JsonTree value) {
        if (value instanceof JsonTree.Text t && t.value().matches(RULE_NAME)) {
            return t.value();
        }
        throw bad(path, value, "must be a text of 1 to " + MAX_NAME_CHARS + " ASCII characters");
    }

    private static EgressPolicy.Protocol protocol(String path, JsonTree value) {
        return word(path, value, EgressPolicy.Protocol.values());
    }

    private static EgressPolicy.Ports ports(String path, JsonTree value) {
        String text = value instanceof JsonTree.Int i
                ? String.valueOf(i.value())
                : value instanceof JsonTree.Text t ? t.value().strip() : "";
        if (text.matches("[0-9]{1,5}(-[0-9]{1,5})?")) {
            String[] ends = text.split("-", -1);
            int first = Integer.parseInt(ends[0]);
            int last = Integer.parseInt(ends[ends.length - 1]);
            if (first >= 1 && last <= 65_535 && first <= last) {
                return new EgressPolicy.Ports(first, last);
            }
        }
        throw bad(path, value, "must be a port or a range, as in 443 or \"8000-8100\"");
    }

    private static EgressPolicy.To to(String path, JsonTree value) {
        String text = text(path, value);
        if (text.indexOf('/') >= 0 || IpPrefix.looksLikeAddress(text)) {
            try {
                return new EgressPolicy.To.Network(IpPrefix.parse(text));
            } catch (IllegalArgumentException e) {
                throw bad(path, value, String.valueOf(e.getMessage()));
            }
        }
        return name(path, value, text);
    }

    private static EgressPolicy.To name(String path, JsonTree value, String text) {
        String lower = text.toLowerCase(Locale.ROOT);
        String whole = lower.endsWith(".") ? lower.substring(0, lower.length() - 1) : lower;
        boolean below = whole.startsWith("*.");
        String name = below ? whole.substring(2) : whole;
        if (!LABELS.matcher(name).matches()) {
            throw bad(
                    path,
                    value,
                    "'" + text + "' is no network, name or *.domain"
                            + (text.chars().anyMatch(c -> c > '~')
                                    ? "; write it in ASCII, as in xn--bcher-kva.example"
                                    : ""));
        }
        if (name.equals(EgressPolicy.To.Host.NAME) && !below) {
            return new EgressPolicy.To.Host();
        }
        return new EgressPolicy.To.Name(name, below);
    }

    private static EgressPolicy.From from(String path, JsonTree value) {
        if (value instanceof JsonTree.Text t && t.value().equals(GUEST)) {
            return new EgressPolicy.From.Guest();
        }
        Fields from = new Fields(
                path, value, FROM_KEYS, "\"" + GUEST + "\", or containers, as in {\"container\": \"web-*\"}");
        if (from.isEmpty()) {
            throw bad(path, value, "names nobody: leave it out for everybody");
        }
        return new EgressPolicy.From.Containers(
                from.globs("container"),
                from.globs("image"),
                from.globs("project"),
                from.globs("service"),
                from.globs("network"));
    }

    private static String glob(String path, JsonTree value) {
        String text = text(path, value);
        if (text.length() > MAX_GLOB_CHARS) {
            throw bad(path, value, "is longer than " + MAX_GLOB_CHARS + " characters");
        }
        return text;
    }

    private static String text(String path, JsonTree value) {
        if (value instanceof JsonTree.Text t && !t.value().isBlank()) {
            return t.value().strip();
        }
        throw bad(path, value, "must be a text in quotes");
    }

    /** The items of a list, or the only one. An empty list would fit nothing, or everything: it says neither. */
    private static <T> List<T> list(String path, JsonTree value, BiFunction<String, JsonTree, T> item) {
        if (!(value instanceof JsonTree.Arr a)) {
            return List.of(item.apply(path, value));
        }
        if (a.items().isEmpty()) {
            throw bad(path, value, "is empty: leave it out, or say what it is to fit");
        }
        if (a.items().size() > EgressPolicy.MAX_ENTRIES) {
            throw bad(path, value, "has more than " + EgressPolicy.MAX_ENTRIES + " entries");
        }
        List<T> all = new ArrayList<>();
        for (int i = 0; i < a.items().size(); i++) {
            all.add(item.apply(path + "[" + i + "]", a.items().get(i)));
        }
        return List.copyOf(all);
    }

    private static <E extends Enum<E>> E word(String path, JsonTree value, E[] constants) {
        for (E constant : constants) {
            if (value instanceof JsonTree.Text t && t.value().equals(ValueTypes.wordOf(constant))) {
                return constant;
            }
        }
        throw bad(path, value, "must be one of " + String.join(", ", words(constants)));
    }

    private static List<String> words(Enum<?>[] constants) {
        return java.util.Arrays.stream(constants).map(ValueTypes::wordOf).toList();
    }

    private static BadValueException bad(String path, JsonTree at, String text) {
        return new BadValueException(path, at.at(), text);
    }

    /** The members of one object, none of which is unknown or given twice. */
    private static final class Fields {
        private final String path;
        private final JsonTree.Obj object;

        Fields(String path, JsonTree value, List<String> known, String what) {
            if (!(value instanceof JsonTree.Obj o)) {
                throw bad(path, value, "must be " + what);
            }
            this.path = path;
            this.object = o;
            Set<String> seen = new HashSet<>();
            for (JsonTree.Member m : o.members()) {
                if (!known.contains(m.name())) {
                    throw bad(
                            path,
                            m.value(),
                            "unknown key '" + m.name() + "'" + Words.hint(m.name(), known) + "; it may have "
                                    + String.join(", ", known));
                }
                if (!seen.add(m.name())) {
                    throw bad(path + "." + m.name(), m.value(), "is given twice");
                }
            }
        }

        boolean isEmpty() {
            return object.members().isEmpty();
        }

        @Nullable
        JsonTree get(String name) {
            JsonTree.Member member = object.find(name);
            return member == null ? null : member.value();
        }

        boolean flag(String name, boolean fallback) {
            return switch (get(name)) {
                case null -> fallback;
                case JsonTree.Bool b -> b.value();
                case JsonTree other -> throw bad(path + "." + name, other, "must be true or false");
            };
        }

        <E extends Enum<E>> E word(String name, E[] constants, @Nullable E fallback) {
            JsonTree value = get(name);
            if (value == null) {
                if (fallback == null) {
                    throw bad(path + "." + name, object, "is missing: one of " + String.join(", ", words(constants)));
                }
                return fallback;
            }
            return EgressType.word(path + "." + name, value, constants);
        }

        List<String> globs(String name) {
            JsonTree value = get(name);
            return value == null ? List.of() : list(path + "." + name, value, EgressType::glob);
        }
    }

    // ---- writing

    @Override
    public JsonTree typed(String text) {
        try {
            return JsonReader.read(text);
        } catch (JsonReader.MalformedException e) {
            String where = e.line() > 0 ? "line " + e.line() + ", column " + e.column() + ": " : "";
            throw new IllegalArgumentException("is no JSON object: " + where + e.getMessage(), e);
        }
    }

    @Override
    public Object written(EgressPolicy policy) {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("mode", ValueTypes.wordOf(policy.mode()));
        json.put("default", ValueTypes.wordOf(policy.byDefault()));
        json.put("rules", policy.rules().stream().map(EgressType::written).toList());
        return json;
    }

    static String toJson(Object written) {
        return MAPPER.writeValueAsString(written);
    }

    static Map<String, Object> written(EgressPolicy.Rule rule) {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("name", rule.name());
        json.put("action", ValueTypes.wordOf(rule.action()));
        if (rule.dryRun()) {
            json.put("dryRun", true);
        }
        if (rule.log() != (rule.action() == EgressPolicy.Action.DENY)) {
            json.put("log", rule.log());
        }
        switch (rule.from()) {
            case null -> {}
            case EgressPolicy.From.Guest _ -> json.put("from", GUEST);
            case EgressPolicy.From.Containers c -> json.put("from", written(c));
        }
        putTexts(json, "to", rule.to());
        putTexts(json, "ports", rule.ports());
        EnumSet<EgressPolicy.Protocol> usual = rule.ports().isEmpty()
                ? EnumSet.allOf(EgressPolicy.Protocol.class)
                : EnumSet.of(EgressPolicy.Protocol.TCP, EgressPolicy.Protocol.UDP);
        if (!rule.protocols().equals(usual)) {
            json.put(
                    "protocols",
                    rule.protocols().stream().sorted().map(ValueTypes::wordOf).toList());
        }
        return json;
    }

    private static Map<String, Object> written(EgressPolicy.From.Containers from) {
        Map<String, Object> json = new LinkedHashMap<>();
        putTexts(json, "container", from.names());
        putTexts(json, "image", from.images());
        putTexts(json, "project", from.projects());
        putTexts(json, "service", from.services());
        putTexts(json, "network", from.networks());
        return json;
    }

    private static void putTexts(Map<String, Object> json, String key, List<?> values) {
        if (!values.isEmpty()) {
            json.put(key, values.stream().map(Object::toString).toList());
        }
    }

    // ---- the schema

    @Override
    public Map<String, Object> schema() {
        Map<String, Object> rule = new LinkedHashMap<>();
        rule.put("name", Map.of("type", "string", "pattern", "^" + RULE_NAME + "$"));
        rule.put("action", words(EgressPolicy.Action.values(), ""));
        rule.put("dryRun", Map.of("type", "boolean", "default", false));
        rule.put("log", Map.of("type", "boolean"));
        rule.put("from", Map.of("anyOf", List.of(Map.of("const", GUEST), fromSchema())));
        rule.put("to", oneOrMore(Map.of("type", "string", "pattern", TO_PATTERN)));
        rule.put(
                "ports",
                oneOrMore(Map.of(
                        "anyOf",
                        List.of(
                                Map.of("type", "integer", "minimum", 1, "maximum", 65_535),
                                Map.of("type", "string", "pattern", PORTS_PATTERN)))));
        rule.put("protocols", oneOrMore(words(EgressPolicy.Protocol.values(), "")));
        Map<String, Object> policy = new LinkedHashMap<>();
        policy.put("mode", words(EgressPolicy.Mode.values(), "enforce"));
        policy.put("default", words(EgressPolicy.Action.values(), "allow"));
        policy.put(
                "rules",
                Map.of("type", "array", "maxItems", EgressPolicy.MAX_RULES, "items", object(rule, List.of("action"))));
        return object(policy, List.of());
    }

    private static Map<String, Object> fromSchema() {
        Map<String, Object> from = new LinkedHashMap<>();
        FROM_KEYS.forEach(key -> from.put(key, oneOrMore(Map.of("type", "string"))));
        Map<String, Object> schema = object(from, List.of());
        schema.put("minProperties", 1);
        return schema;
    }

    private static Map<String, Object> words(Enum<?>[] constants, String fallback) {
        Map<String, Object> schema = new LinkedHashMap<>();
        schema.put("type", "string");
        schema.put("enum", words(constants));
        if (!fallback.isEmpty()) {
            schema.put("default", fallback);
        }
        return schema;
    }

    private static Map<String, Object> oneOrMore(Map<String, Object> item) {
        Map<String, Object> list = new LinkedHashMap<>();
        list.put("type", "array");
        list.put("items", item);
        list.put("minItems", 1);
        list.put("maxItems", EgressPolicy.MAX_ENTRIES);
        return Map.of("anyOf", List.of(item, list));
    }

    private static Map<String, Object> object(Map<String, Object> properties, List<String> required) {
        Map<String, Object> schema = new LinkedHashMap<>();
        schema.put("type", "object");
        schema.put("properties", properties);
        schema.put("additionalProperties", false);
        if (!required.isEmpty()) {
            schema.put("required", required);
        }
        return schema;
    }
}
