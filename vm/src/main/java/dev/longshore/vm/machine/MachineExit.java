package dev.longshore.vm.machine;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * How a guest ended. Immutable.
 *
 * @param code the program's exit code; 128 + n after signal n
 * @param requested true if we had been asked to stop it
 * @param fatal what the guest said was wrong before it powered off, null if it said nothing
 * @param lastLines of the console, oldest first
 */
public record MachineExit(
        int code, boolean requested, @Nullable String fatal, List<String> lastLines) {
    /** One sentence for the user. */
    public String describe() {
        if (fatal != null) {
            return "the guest stopped: " + fatal;
        }
        if (requested) {
            return code == 0 ? "the guest powered off" : "the guest was killed";
        }
        String last = lastLines.isEmpty() ? "" : "; its last words: " + lastLines.getLast();
        return "the guest ended by itself with exit code " + code + last;
    }
}
