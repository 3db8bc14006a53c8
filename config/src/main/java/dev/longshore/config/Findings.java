package dev.longshore.config;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;

/** What one reading of a settings file has to say, collected instead of thrown. Confined to that reading. */
final class Findings {
    private final Path file;
    private final List<Problem> problems = new ArrayList<>();
    private final List<Problem> warnings = new ArrayList<>();
    private final List<String> desktop = new ArrayList<>();

    Findings(Path file) {
        this.file = file;
    }

    void problem(String key, JsonTree.Place place, String text) {
        problems.add(Problem.at(file, key, place, text));
    }

    void problem(Problem problem) {
        problems.add(problem);
    }

    void warn(String key, JsonTree.Place place, String text) {
        warnings.add(Problem.at(file, key, place, text));
    }

    /** A name that the tree does not have at this place. */
    void unknown(String prefix, JsonTree.Member member, Collection<String> siblings) {
        if (DesktopKeys.has(member.name())) {
            desktop.add(prefix + member.name());
        } else {
            String hint = Words.hint(member.name(), siblings);
            warn(
                    prefix + member.name(),
                    member.value().at(),
                    "unknown key, ignored" + (hint.isEmpty() ? SettingTable.hint(member.name()) : hint));
        }
    }

    /** Of names given several times the last counts. */
    void repeated(String prefix, JsonTree.Obj object) {
        List<String> names =
                object.members().stream().map(JsonTree.Member::name).toList();
        names.stream()
                .distinct()
                .filter(n -> names.indexOf(n) != names.lastIndexOf(n))
                .forEach(n -> warn(prefix + n, object.at(), "given twice; the last counts"));
    }

    List<Problem> problems() {
        return List.copyOf(problems);
    }

    /** With one for all keys of Docker Desktop's together: a copied file has a hundred of them. */
    List<Problem> warnings(String consequence) {
        if (desktop.isEmpty()) {
            return List.copyOf(warnings);
        }
        List<Problem> all = new ArrayList<>(warnings);
        all.add(new Problem(file, "", 0, 0, consequence + ": " + String.join(", ", desktop)));
        return List.copyOf(all);
    }
}
