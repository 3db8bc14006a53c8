package dev.longshore.cli.diagnose;

/**
 * One check that was made.
 *
 * @param name short and stable, for programs
 * @param question what was checked, for people
 * @param detail why it failed or was left out, with what to do; may be empty if it passed
 */
public record Check(String name, String question, Result result, String detail) {
    /** How it went. */
    public enum Result {
        PASS,
        FAIL,
        /** It made no sense here. */
        SKIP
    }

    public static Check pass(String name, String question, String detail) {
        return new Check(name, question, Result.PASS, detail);
    }

    public static Check fail(String name, String question, String detail) {
        return new Check(name, question, Result.FAIL, detail);
    }

    public static Check skip(String name, String question, String detail) {
        return new Check(name, question, Result.SKIP, detail);
    }

    /** As in {@code [FAIL] engine: does the Engine answer? no: connection refused}. */
    @Override
    public String toString() {
        return "[" + result + "] " + name + ": " + question + (detail.isEmpty() ? "" : " " + detail);
    }
}
