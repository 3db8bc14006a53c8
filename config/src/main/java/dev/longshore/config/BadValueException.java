package dev.longshore.config;

/** What is wrong with a part of a value, for the user, and where that part stands. */
final class BadValueException extends IllegalArgumentException {
    private static final long serialVersionUID = 1L;

    /** Below the setting's name, as in {@code .rules[2].ports}; may be empty. */
    private final String path;

    private final transient JsonTree.Place at;

    BadValueException(String path, JsonTree.Place at, String message) {
        super(message);
        this.path = path;
        this.at = at;
    }

    String path() {
        return path;
    }

    JsonTree.Place at() {
        return at;
    }

    /** What {@code e} is about: a part of the value, or all of it. */
    static Problem problem(IllegalArgumentException e, java.nio.file.Path file, String name, JsonTree value) {
        return e instanceof BadValueException bad
                ? Problem.at(file, name + bad.path, bad.at, String.valueOf(e.getMessage()))
                : Problem.at(file, name, value.at(), String.valueOf(e.getMessage()));
    }
}
