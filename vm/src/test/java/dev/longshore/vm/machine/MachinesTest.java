package dev.longshore.vm.machine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.config.Home;
import dev.longshore.config.Ipv4Subnet;
import dev.longshore.config.Settings;
import dev.longshore.config.VmKind;
import dev.longshore.vm.image.GuestImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Properties;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Command lines of the machines. */
class MachinesTest {
    @TempDir
    private Path directory;

    @Test
    void uml_commandLine() throws Exception {
        Machine.Launch launch = uml().launch(spec(Settings.DEFAULTS, false));

        String d = directory.toString();
        assertThat(launch.command())
                .containsExactly(
                        d + "/image/linux",
                        "mem=1024M",
                        "ubd0r=" + d + "/image/rootfs.ext4",
                        "ubd1=" + d + "/home/data.ext4",
                        "root=/dev/ubda",
                        "ro",
                        "init=/usr/sbin/longshore-init",
                        "longshore_data=/dev/ubdb",
                        "longshore_subnet=192.168.65.0/24",
                        "longshore_host_gateway=192.168.65.254",
                        "quiet",
                        "panic=1",
                        "virtio_uml.device=" + d + "/home/run/net.sock:1",
                        "virtio_uml.device=" + d + "/home/run/vsock.sock:19",
                        "virtio_uml.device=" + d + "/home/run/fs.sock:26",
                        "con=null",
                        "con0=null,fd:1",
                        "noreboot",
                        "uml_dir=" + d + "/home/run",
                        "umid=uml");
        assertThat(launch.command()).contains(launch.mark());
    }

    @Test
    void uml_subnetMovedAndDiskGrown_guestIsTold() throws Exception {
        Settings settings = Settings.DEFAULTS.withNetwork(
                Settings.DEFAULTS.network().withSubnet(Ipv4Subnet.parse("192.168.100.0/24")));

        assertThat(uml().launch(spec(settings, true)).command())
                .contains("longshore_subnet=192.168.100.0/24", "longshore_host_gateway=192.168.100.254")
                .contains("longshore_grow=1");
    }

    @Test
    void containerdsImageStore_wanted_guestIsTold() throws Exception {
        assertThat(uml().launch(spec(Settings.DEFAULTS, false)).command())
                .noneMatch(word -> word.contains("containerd"));
        Settings settings = Settings.DEFAULTS.withEngine(new Settings.EngineSettings(true, false));

        assertThat(uml().launch(spec(settings, false)).command()).contains("longshore_containerd_store=1");
    }

    @Test
    void uml_seccompWanted_onlyWithAKernelThatKnowsIt() throws Exception {
        Settings.Vm vm = new Settings.Vm(VmKind.UML, 0, 1024, 0, 65_536, true);
        Settings settings = Settings.DEFAULTS.withVm(vm);

        assertThat(uml().launch(spec(settings, false)).command()).doesNotContain("seccomp=on");

        Properties able = new Properties();
        able.setProperty("uml.seccomp", "true");
        GuestImage image = new GuestImage(directory.resolve("image"), able);
        assertThat(uml().launch(new MachineSpec(image, home("home"), settings, false))
                        .command())
                .contains("seccomp=on");
    }

    @Test
    void homeWithABlank_launch_isRefused() {
        MachineSpec spec = new MachineSpec(image(), home("my home"), Settings.DEFAULTS, false);

        assertThatThrownBy(() -> uml().launch(spec))
                .isInstanceOf(MachineException.class)
                .hasMessageContaining("my home")
                .hasMessageContaining("LONGSHORE_HOME");
    }

    @Test
    void qemuWithKvm_commandLine() throws Exception {
        Machine.Launch launch =
                new QemuMachine(Path.of("/usr/bin/qemu-system-x86_64"), true, 6).launch(spec(Settings.DEFAULTS, false));

        String d = directory.toString();
        assertThat(String.join(" ", launch.command()))
                .contains("-machine q35,memory-backend=mem ")
                .contains("memory-backend-memfd,id=mem,share=on,size=1024M ")
                .contains("-accel kvm -cpu host -smp 6 ")
                .contains("file=" + d + "/image/rootfs.ext4,readonly=on ")
                .contains("file=" + d + "/home/data.ext4,discard=unmap ")
                .contains("socket,id=net,path=" + d + "/home/run/net.sock ")
                .contains("virtio-net-pci,netdev=net0,mac=02:4c:53:00:00:03 ")
                .contains("socket,id=vsock,path=" + d + "/home/run/vsock.sock ")
                .contains("socket,id=files,path=" + d + "/home/run/fs.sock ")
                .contains("vhost-user-fs-pci,chardev=files,queue-size=1024,tag=host ")
                .contains("root=/dev/vda ro ")
                .contains("longshore_data=/dev/vdb ");
        assertThat(launch.command()).contains(launch.mark());
    }

    @Test
    void qemuWithoutKvm_isSaidToBeSlow() throws Exception {
        QemuMachine machine = new QemuMachine(Path.of("/usr/bin/qemu-system-x86_64"), false, 2);

        assertThat(machine.description()).isEqualTo("QEMU without KVM (slow)");
        assertThat(machine.launch(spec(Settings.DEFAULTS, false)).command())
                .contains("tcg,thread=multi")
                .contains("virtio-net-pci,netdev=net0,mac=02:4c:53:00:00:03,vectors=0");
    }

    @Test
    void sharedMemoryTooSmall_memoryGoesToTheHome() throws Exception {
        Path mounts = mounts("tmpfs /dev/shm tmpfs rw,nosuid 0 0");
        MemoryPlace none = new MemoryPlace(directory.resolve("nothing"), mounts);

        assertThat(none.choose(1, directory)).isEqualTo(directory);
        assertThatThrownBy(() -> none.choose(Integer.MAX_VALUE, directory))
                .isInstanceOf(MachineException.class)
                .hasMessageContaining("vm.memoryMiB");
    }

    @Test
    void sharedMemory_onlyAnExecutableTmpfs() throws Exception {
        Path place = Files.createDirectory(directory.resolve("shm"));
        Path home = Files.createDirectory(directory.resolve("disk"));

        assertThat(chosen(place, home, "tmpfs PLACE tmpfs rw,nosuid,nodev 0 0")).isEqualTo(place);
        assertThat(chosen(place, home, "tmpfs PLACE tmpfs rw,noexec 0 0")).isEqualTo(home);
        assertThat(chosen(place, home, "/dev/sda1 PLACE ext4 rw 0 0")).isEqualTo(home);
        assertThat(chosen(place, home, "tmpfs PLACE tmpfs rw 0 0\ntmpfs PLACE tmpfs rw,noexec 0 0"))
                .isEqualTo(home);
        assertThat(chosen(place, home, "nonsense")).isEqualTo(home);
    }

    private Path chosen(Path place, Path home, String mounts) throws Exception {
        return new MemoryPlace(place, mounts(mounts.replace("PLACE", place.toString()))).choose(1, home);
    }

    private Path mounts(String lines) throws IOException {
        return Files.writeString(directory.resolve("mounts"), lines + "\n");
    }

    private UmlMachine uml() throws IOException {
        Path place = Files.createDirectories(directory.resolve("memory"));
        return new UmlMachine(new MemoryPlace(place, mounts("tmpfs " + place + " tmpfs rw 0 0")));
    }

    private MachineSpec spec(Settings settings, boolean growDisk) {
        return new MachineSpec(image(), home("home"), settings, growDisk);
    }

    private GuestImage image() {
        return new GuestImage(directory.resolve("image"), new Properties());
    }

    private Home home(String name) {
        return Home.at(directory.resolve(name), directory.resolve("cache"));
    }
}
