package dev.longshore.vm.machine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.config.VmKind;
import dev.longshore.vm.image.HostTools;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MachineChooserTest {
    @TempDir
    private Path directory;

    @Test
    void auto_noQemu_isUml() throws Exception {
        KvmProbe unasked = _ -> {
            throw new AssertionError("nothing to ask about");
        };

        assertThat(chooser(unasked).choose(VmKind.AUTO).kind()).isEqualTo("uml");
    }

    @Test
    void auto_kvmBootsNothing_isUml() throws Exception {
        qemu("exit 0");

        assertThat(chooser(_ -> false).choose(VmKind.AUTO).kind()).isEqualTo("uml");
    }

    @Test
    void auto_kvmBoots_isQemu() throws Exception {
        qemu("exit 0");

        assertThat(chooser(_ -> true).choose(VmKind.AUTO).description()).isEqualTo("QEMU with KVM");
    }

    @Test
    void uml_staysUml() throws Exception {
        qemu("exit 0");

        assertThat(chooser(_ -> true).choose(VmKind.UML).kind()).isEqualTo("uml");
    }

    @Test
    void qemu_withoutKvm_isQemuAllTheSame() throws Exception {
        qemu("exit 0");

        assertThat(chooser(_ -> false).choose(VmKind.QEMU).description()).isEqualTo("QEMU without KVM (slow)");
    }

    @Test
    void qemu_missing_namesThePackage() {
        assertThatThrownBy(() -> chooser(_ -> true).choose(VmKind.QEMU))
                .isInstanceOf(MachineException.class)
                .hasMessageContaining("sudo apt-get install qemu-system-x86");
    }

    @Test
    void otherArchitecture_isRefused() {
        MachineChooser chooser = new MachineChooser(new HostTools(List.of(directory)), _ -> true, 2, "aarch64");

        assertThatThrownBy(() -> chooser.choose(VmKind.AUTO))
                .isInstanceOf(MachineException.class)
                .hasMessageContaining("x86-64 only, and this is aarch64");
    }

    @Test
    void probe_sectorRuns_believedUntilTheHostBootsAgain() throws Exception {
        Path qemu = qemu("echo run >> " + directory + "/runs; exit 67"); // 2 * 0x21 + 1
        Path bootId = Files.writeString(directory.resolve("boot"), "first\n");
        BootSectorProbe probe = probe(bootId);

        assertThat(probe.boots(qemu)).isTrue();
        assertThat(probe.boots(qemu)).isTrue();
        assertThat(probe(bootId).boots(qemu)).isTrue();
        assertThat(Files.readAllLines(directory.resolve("runs"))).hasSize(1);

        Files.writeString(bootId, "second\n");
        assertThat(probe.boots(qemu)).isTrue();
        assertThat(Files.readAllLines(directory.resolve("runs"))).hasSize(2);
    }

    @Test
    void probe_qemuFails_isNo() throws Exception {
        Path qemu = qemu("echo 'Could not access KVM kernel module' >&2; exit 1");
        BootSectorProbe probe = probe(Files.writeString(directory.resolve("boot"), "first\n"));

        assertThat(probe.boots(qemu)).isFalse();
        assertThat(probe.boots(qemu)).isFalse();
    }

    @Test
    void probe_noDevice_qemuIsNotStarted() throws Exception {
        Path qemu = qemu("exit 67");
        BootSectorProbe probe = new BootSectorProbe(
                directory.resolve("answers"), directory.resolve("no-kvm"), directory.resolve("boot"), tools());

        assertThat(probe.boots(qemu)).isFalse();
    }

    private BootSectorProbe probe(Path bootId) throws IOException {
        Path device = directory.resolve("kvm");
        if (!Files.exists(device)) {
            Files.createFile(device);
        }
        return new BootSectorProbe(directory.resolve("answers"), device, bootId, tools());
    }

    private MachineChooser chooser(KvmProbe kvm) {
        return new MachineChooser(new HostTools(List.of(directory)), kvm, 2);
    }

    private HostTools tools() {
        return new HostTools(List.of(directory, Path.of("/usr/bin"), Path.of("/bin")));
    }

    private Path qemu(String script) throws IOException {
        Path file = Files.writeString(directory.resolve("qemu-system-x86_64"), "#!/bin/sh\n" + script + "\n");
        return Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwxr-xr-x"));
    }
}
