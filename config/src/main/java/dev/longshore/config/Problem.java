package dev.longshore.config;

/**
 * Something about a settings file that the user should know. Immutable.
 *
 * @param key as in {@code vm.memoryMiB}; empty if it concerns the whole file
 * @param line 1 and up; 0 if unknown
 * @param text one sentence, without the key
 */
public record Problem(String key, int line, String text) {
    @Override
    public String toString() {
        String where = line > 0 ? "line " + line + ": " : "";
        return where + (key.isEmpty() ? "" : key + ": ") + text;
    }
}
