package dev.longshore.config;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.json.JsonMapper;

/**
 * Changes single members in the text of a settings file and leaves all else as it is: unknown keys, comments, order, line
 * ends, indentation. Immutable.
 */
record JsonEdit(String text) {
    private static final JsonMapper MAPPER = new JsonMapper();
    private static final String STEP = "  ";

    static final JsonEdit EMPTY = new JsonEdit("{\n}\n");

    /** A member and the object that has it. */
    private record Found(JsonTree.Obj parent, int index, String path) {
        JsonTree.Member member() {
            return parent.members().get(index);
        }
    }

    /**
     * The member's value replaced, under the name that it has; made if there is none; others of these names removed.
     *
     * @param names whether a path, as in {@code network.mtu}, is one of the setting's
     * @param path where to make it
     * @param json a Boolean, an Integer, a String, or a list of such
     */
    JsonEdit set(Predicate<String> names, String path, Object json) throws JsonReader.MalformedException {
        List<Found> found = find(names);
        if (found.isEmpty()) {
            return insert(path, MAPPER.writeValueAsString(json));
        }
        JsonTree.Place at = found.getLast().member().value().at();
        JsonEdit replaced = new JsonEdit(
                text.substring(0, at.start()) + MAPPER.writeValueAsString(json) + text.substring(at.end()));
        JsonEdit edit = replaced;
        for (int left = found.size(); left > 1; left--) {
            edit = edit.remove(edit.find(names).getFirst());
        }
        return edit;
    }

    /** Without the members of these names. */
    JsonEdit unset(Predicate<String> names) throws JsonReader.MalformedException {
        JsonEdit edit = this;
        for (List<Found> found = find(names); !found.isEmpty(); found = edit.find(names)) {
            edit = edit.remove(found.getFirst());
        }
        return edit;
    }

    private List<Found> find(Predicate<String> names) throws JsonReader.MalformedException {
        List<Found> found = new ArrayList<>();
        collect("", JsonReader.read(text), names, found);
        return found;
    }

    private static void collect(String prefix, JsonTree.Obj object, Predicate<String> names, List<Found> found) {
        for (int i = 0; i < object.members().size(); i++) {
            JsonTree.Member m = object.members().get(i);
            if (m.name().indexOf('.') >= 0) {
                continue; // a member "a.b" is not the member b of an object a
            }
            String path = prefix + m.name();
            if (names.test(path)) {
                found.add(new Found(object, i, path));
            } else if (m.value() instanceof JsonTree.Obj inner) {
                collect(path + ".", inner, names, found);
            }
        }
    }

    private JsonEdit insert(String path, String value) throws JsonReader.MalformedException {
        JsonTree.Obj at = JsonReader.read(text);
        String[] names = path.split("\\.", -1);
        int depth = 0;
        while (depth < names.length - 1) {
            JsonTree.Obj inner = innerObject(at, names[depth]);
            if (inner == null) {
                break;
            }
            at = inner;
            depth++;
        }
        StringBuilder member = new StringBuilder();
        for (int i = depth; i < names.length - 1; i++) {
            member.append(MAPPER.writeValueAsString(names[i])).append(": { ");
        }
        member.append(MAPPER.writeValueAsString(names[names.length - 1]))
                .append(": ")
                .append(value);
        member.append(" }".repeat(names.length - 1 - depth));
        return at.members().isEmpty() ? insertFirst(at, member.toString()) : insertLast(at, member.toString());
    }

    private static JsonTree.@Nullable Obj innerObject(JsonTree.Obj object, String name) {
        for (JsonTree.Member m : object.members().reversed()) {
            if (KeyTree.sameName(m.name(), name) && m.value() instanceof JsonTree.Obj inner) {
                return inner;
            }
        }
        return null;
    }

    private JsonEdit insertFirst(JsonTree.Obj object, String member) {
        int behindBrace = object.at().start() + 1;
        String indent = indentOfLine(object.at().start());
        boolean blank = text.substring(behindBrace, object.at().end() - 1).isBlank();
        int rest = blank ? object.at().end() - 1 : behindBrace;
        String after = blank ? lineEnd() + indent : "";
        return new JsonEdit(
                text.substring(0, behindBrace) + lineEnd() + indent + STEP + member + after + text.substring(rest));
    }

    private JsonEdit insertLast(JsonTree.Obj object, String member) {
        JsonTree.Member last = object.members().getLast();
        boolean ownLine =
                text.substring(startOfLine(last.start()), last.start()).isBlank();
        String between = ownLine ? "," + lineEnd() + indentOfLine(last.start()) : ", ";
        int at = last.value().at().end();
        return new JsonEdit(text.substring(0, at) + between + member + text.substring(at));
    }

    private JsonEdit remove(Found found) {
        List<JsonTree.Member> members = found.parent().members();
        JsonTree.Member member = found.member();
        int start = member.start();
        int end = member.value().at().end();
        int comma = skipBlanksAndComments(end);
        if (text.charAt(comma) == ',') {
            end = comma + 1;
        }
        String before = text.substring(0, start);
        if (text.charAt(comma) != ',' && found.index() > 0) { // the last one: the comma in front of it goes
            int previousEnd = members.get(found.index() - 1).value().at().end();
            int previousComma = skipBlanksAndComments(previousEnd);
            String gap = text.substring(previousComma + 1, start);
            before = text.substring(0, previousComma) + (gap.isBlank() && gap.indexOf('\n') < 0 ? "" : gap);
        }
        String after = text.substring(end);
        int lineStart = before.lastIndexOf('\n') + 1;
        int lineRest = after.indexOf('\n');
        boolean wholeLine = lineStart > 0
                && before.substring(lineStart).isBlank()
                && lineRest >= 0
                && after.substring(0, lineRest).isBlank();
        return new JsonEdit(
                wholeLine
                        ? before.substring(0, lineStart) + after.substring(lineRest + 1)
                        : before + after.stripLeading());
    }

    private int skipBlanksAndComments(int from) {
        int i = from;
        while (true) {
            if (Character.isWhitespace(text.charAt(i))) {
                i++;
            } else if (text.startsWith("//", i)) {
                int end = text.indexOf('\n', i);
                i = end < 0 ? text.length() : end;
            } else if (text.startsWith("/*", i)) {
                i = text.indexOf("*/", i) + 2;
            } else {
                return i;
            }
        }
    }

    private int startOfLine(int at) {
        return text.lastIndexOf('\n', at - 1) + 1;
    }

    private String indentOfLine(int at) {
        int start = startOfLine(at);
        int end = start;
        while (end < at && (text.charAt(end) == ' ' || text.charAt(end) == '\t')) {
            end++;
        }
        return text.substring(start, end);
    }

    private String lineEnd() {
        return text.contains("\r\n") ? "\r\n" : "\n";
    }
}
