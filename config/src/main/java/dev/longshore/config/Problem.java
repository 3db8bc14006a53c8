package dev.longshore.config;

import java.nio.file.Path;

/**
 * Something about a settings file that the user should know. Immutable; quotes no secrets.
 *
 * @param file the one it is about
 * @param key as in {@code vm.kind}; empty if it concerns the whole file
 * @param line 1 and up; 0 if unknown
 * @param column 1 and up; 0 if unknown
 * @param text one sentence, without the key
 */
public record Problem(Path file, String key, int line, int column, String text) {
    static Problem at(Path file, String key, JsonTree.Place place, String text) {
        return new Problem(file, key, place.line(), place.column(), text);
    }

    /** With a text behind its own. */
    Problem with(String more) {
        return new Problem(file, key, line, column, text + more);
    }

    /** Without the file: {@code line 3, column 12: vm.kind: must be …}. */
    public String inFile() {
        String where = line > 0 ? "line " + line + ", column " + column + ": " : "";
        return where + (key.isEmpty() ? "" : key + ": ") + text;
    }

    @Override
    public String toString() {
        return file + ": " + inFile();
    }
}
