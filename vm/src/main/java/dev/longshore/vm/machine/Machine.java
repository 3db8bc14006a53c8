package dev.longshore.vm.machine;

import dev.longshore.vm.image.GuestKernel;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/** A program that runs a guest with our vhost-user devices. Immutable. */
public sealed interface Machine permits UmlMachine, QemuMachine {
    /** As in the setting {@code vm.kind}. */
    String kind();

    /** Which image it needs. */
    GuestKernel kernel();

    /** A few words for the user: what the guest runs on. */
    String description();

    /** How to start the guest. May look at the host, as for room in memory file systems; starts nothing. */
    Launch launch(MachineSpec spec) throws MachineException;

    /**
     * A process to start.
     *
     * @param environment added to the daemon's own
     * @param mark the one of the command's words that no process but a guest of this home has
     * @param stale what an earlier run may have left and the program would stumble over
     */
    record Launch(List<String> command, Map<String, String> environment, String mark, List<Path> stale) {
        public Launch {
            command = List.copyOf(command);
            environment = Map.copyOf(environment);
            stale = List.copyOf(stale);
        }
    }
}
