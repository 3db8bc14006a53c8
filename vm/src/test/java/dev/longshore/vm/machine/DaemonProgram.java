package dev.longshore.vm.machine;

import dev.longshore.vm.image.HostTools;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** A daemon to be killed by a test: starts the guest of its arguments, says so, and waits for ever. */
final class DaemonProgram {
    private DaemonProgram() {}

    /** Arguments: the leash, the console file, then the guest's command. */
    public static void main(String[] args) throws Exception {
        List<String> command = List.of(args).subList(2, args.length);
        GuestProcess guest = GuestProcess.start(
                new Machine.Launch(command, Map.of(), "no process has this word", List.of()),
                Path.of(args[1]),
                1 << 20,
                HostTools.of(System.getenv()),
                Leash.valueOf(args[0]));
        System.out.println("started");
        guest.exit().get();
    }

    /** The command line to run it as a process of its own. */
    static List<String> commandLine(Leash leash, Path console, List<String> guest) {
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp",
                System.getProperty("java.class.path"),
                DaemonProgram.class.getName(),
                leash.name(),
                console.toString()));
        command.addAll(guest);
        return command;
    }
}
