package dev.longshore.vm.machine;

import dev.longshore.config.Home;
import dev.longshore.vm.image.GuestKernel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** User-mode Linux: a kernel that is a program. Needs neither KVM nor root. Immutable. */
public final class UmlMachine implements Machine {
    /** Below {@link Home#run()}: UML puts its pid and its management socket there. */
    private static final String UMID = "uml";

    private static final Logger LOG = LoggerFactory.getLogger(UmlMachine.class);

    private final MemoryPlace memoryPlace;

    public UmlMachine() {
        this(MemoryPlace.ofHost());
    }

    UmlMachine(MemoryPlace memoryPlace) {
        this.memoryPlace = memoryPlace;
    }

    @Override
    public String kind() {
        return "uml";
    }

    @Override
    public GuestKernel kernel() {
        return GuestKernel.UML;
    }

    @Override
    public String description() {
        return "User-mode Linux";
    }

    @Override
    public Launch launch(MachineSpec spec) throws MachineException {
        spec.check();
        Home home = spec.home();
        int memoryMiB = spec.settings().vm().memoryMiB();
        List<String> command = new ArrayList<>(List.of(
                spec.image().umlKernel().toString(),
                "mem=" + memoryMiB + "M",
                "ubd0r=" + spec.image().rootFileSystem(),
                "ubd1=" + home.dataDisk()));
        command.addAll(spec.kernelWords("/dev/ubda", "/dev/ubdb"));
        // The numbers are virtio device types: 1 a network card, 19 a socket device, 26 a file system (virtio 1.2, 5).
        command.addAll(List.of(
                "virtio_uml.device=" + home.netSocket() + ":1",
                "virtio_uml.device=" + home.vsockSocket() + ":19",
                "virtio_uml.device=" + home.filesSocket() + ":26",
                "con=null",
                "con0=null,fd:1",
                "noreboot",
                "uml_dir=" + home.run(),
                "umid=" + UMID));
        if (spec.settings().vm().umlSeccomp()) {
            if (spec.image().umlSeccomp()) {
                command.add("seccomp=on");
            } else {
                LOG.warn(
                        "vm.umlSeccomp is set, but the kernel {} has no such mode: the guest uses ptrace",
                        spec.image().kernelVersion());
            }
        }
        Path memory = memoryPlace.choose(memoryMiB, home.state());
        // UML believes the pid in its directory, which in the pid namespace of a new guest is always somebody's.
        Path own = home.run().resolve(UMID);
        return new Launch(
                command,
                Map.of("TMPDIR", memory.toString()),
                "ubd1=" + home.dataDisk(),
                List.of(own.resolve("pid"), own.resolve("mconsole"), own));
    }
}
