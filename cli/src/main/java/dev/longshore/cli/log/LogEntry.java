package dev.longshore.cli.log;

import java.time.Instant;

/**
 * One entry of a log.
 *
 * @param unit {@code console} for what the guest printed, else the part of the daemon that spoke, as in {@code engine.Engine}
 * @param text as in the file, with the lines that belong to it; without the last line break
 */
public record LogEntry(Instant time, Priority priority, String unit, String text) {
    /** The unit of what the guest prints. */
    public static final String CONSOLE = "console";

    /** In rising order. */
    public enum Priority {
        DEBUG,
        INFO,
        WARN,
        ERROR;

        static Priority of(String level) {
            return switch (level) {
                case "ERROR" -> ERROR;
                case "WARN" -> WARN;
                case "INFO" -> INFO;
                default -> DEBUG;
            };
        }
    }

    /**
     * True if {@code wanted} names this unit or a part that holds it.
     *
     * @param wanted as in {@code engine}; a leading {@code com.docker.backend.}, as Docker Desktop's units have, is ignored
     */
    public boolean isOf(String wanted) {
        String name =
                wanted.startsWith("com.docker.backend.") ? wanted.substring("com.docker.backend.".length()) : wanted;
        return unit.equals(name) || unit.startsWith(name + ".");
    }
}
