package dev.longshore.cli;

/** The exit statuses of all commands; the README has the same list. */
final class ExitCode {
    static final int OK = 0;
    static final int FAILED = 1;
    static final int USAGE = 2;

    /** {@code status}: no daemon, or no guest. */
    static final int STOPPED = 3;

    /** {@code policy explain}: denied. */
    static final int DENIED = 3;

    /** {@code status}: starting or stopping. */
    static final int CHANGING = 4;

    /** {@code --timeout}; as timeout(1) has it. */
    static final int TIME_IS_UP = 124;

    private ExitCode() {}
}
