package dev.longshore.vm.machine;

import dev.longshore.config.VmKind;
import dev.longshore.vm.image.HostTools;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Turns the setting {@code vm.kind} into a machine. Immutable. */
public final class MachineChooser {
    private final HostTools tools;
    private final KvmProbe kvm;
    private final int hostCpus;
    private final String architecture;

    /** @param kvm asked only if QEMU is there and could be chosen */
    public MachineChooser(HostTools tools, KvmProbe kvm, int hostCpus) {
        this(tools, kvm, hostCpus, System.getProperty("os.arch", "unknown"));
    }

    /** @param architecture in the words of the JDK */
    MachineChooser(HostTools tools, KvmProbe kvm, int hostCpus, String architecture) {
        this.architecture = architecture;
        this.tools = tools;
        this.kvm = kvm;
        this.hostCpus = hostCpus;
    }

    /** Blocks for a second or two at the first call after the host's boot, while KVM is tried. */
    public Machine choose(VmKind kind) throws MachineException, InterruptedException {
        if (!architecture.equals("amd64")) {
            throw new MachineException("Longshore's guests run on x86-64 only, and this is " + architecture);
        }
        Path qemu = tools.find(QemuMachine.PROGRAM);
        return switch (kind) {
            case UML -> new UmlMachine();
            case AUTO -> qemu != null && kvm.boots(qemu) ? new QemuMachine(qemu, true, hostCpus) : new UmlMachine();
            case QEMU -> qemu(qemu);
        };
    }

    private Machine qemu(@Nullable Path qemu) throws MachineException, InterruptedException {
        if (qemu == null) {
            throw new MachineException("vm.kind is qemu, but " + QemuMachine.PROGRAM + " is missing: "
                    + HostTools.installCommand(List.of("qemu-system-x86")));
        }
        return new QemuMachine(qemu, kvm.boots(qemu), hostCpus);
    }
}
