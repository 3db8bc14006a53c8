package dev.longshore.vm.machine;

import dev.longshore.config.AddressPlan;
import dev.longshore.config.Home;
import dev.longshore.vm.image.GuestKernel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** QEMU, x86-64. Immutable. */
public final class QemuMachine implements Machine {
    /** The Debian package and the program. */
    static final String PROGRAM = "qemu-system-x86_64";

    private final Path program;
    private final boolean kvm;
    private final int hostCpus;

    /** @param kvm false: everything is emulated, for tests */
    public QemuMachine(Path program, boolean kvm, int hostCpus) {
        this.program = program;
        this.kvm = kvm;
        this.hostCpus = hostCpus;
    }

    @Override
    public String kind() {
        return "qemu";
    }

    @Override
    public GuestKernel kernel() {
        return GuestKernel.CLOUD;
    }

    @Override
    public String description() {
        return kvm ? "QEMU with KVM" : "QEMU without KVM (slow)";
    }

    @Override
    public Launch launch(MachineSpec spec) throws MachineException {
        spec.check();
        Home home = spec.home();
        int cpus = spec.settings().vm().cpus();
        List<String> command =
                new ArrayList<>(List.of(program.toString(), "-nodefaults", "-no-user-config", "-no-reboot"));
        command.addAll(List.of("-machine", "q35,memory-backend=mem"));
        // Shared, because the daemon's devices read and write the guest's memory.
        command.addAll(List.of(
                "-object",
                "memory-backend-memfd,id=mem,share=on,size="
                        + spec.settings().vm().memoryMiB() + "M"));
        command.addAll(
                kvm ? List.of("-accel", "kvm", "-cpu", "host") : List.of("-accel", "tcg,thread=multi", "-cpu", "max"));
        command.addAll(List.of("-smp", String.valueOf(cpus > 0 ? cpus : hostCpus)));
        command.addAll(
                List.of("-display", "none", "-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console"));
        command.addAll(List.of("-kernel", spec.image().cloudKernel().toString()));
        command.addAll(List.of("-initrd", spec.image().cloudInitrd().toString()));
        command.addAll(
                List.of("-append", String.join(" ", spec.kernelWords("/dev/vda", "/dev/vdb")) + " console=ttyS0"));
        command.addAll(disk("root", drive("root", spec.image().rootFileSystem(), "readonly=on")));
        String data = drive("data", home.dataDisk(), "discard=unmap");
        command.addAll(disk("data", data));
        command.addAll(devices(home));
        return new Launch(command, Map.of(), data, List.of());
    }

    private static String drive(String id, Path file, String options) {
        return "if=none,format=raw,id=" + id + ",file=" + file + "," + options;
    }

    private static List<String> disk(String id, String drive) {
        return List.of("-drive", drive, "-device", "virtio-blk-pci,drive=" + id);
    }

    private List<String> devices(Home home) {
        // QEMU 7.2 without KVM crashes on the interrupt vectors of a vhost-user card.
        String vectors = kvm ? "" : ",vectors=0";
        return List.of(
                "-chardev",
                "socket,id=net,path=" + home.netSocket(),
                "-netdev",
                "vhost-user,id=net0,chardev=net",
                "-device",
                "virtio-net-pci,netdev=net0,mac=" + AddressPlan.GUEST_MAC + vectors,
                "-chardev",
                "socket,id=vsock,path=" + home.vsockSocket(),
                "-device",
                "vhost-user-vsock-pci,chardev=vsock",
                "-chardev",
                "socket,id=files,path=" + home.filesSocket(),
                "-device",
                // Linux limits a request to the queue's size less 4 pages; QEMU's 128 would be half a mebibyte.
                "vhost-user-fs-pci,chardev=files,queue-size=1024,tag=" + MachineSpec.FILES_TAG,
                "-device",
                "virtio-rng-pci");
    }
}
