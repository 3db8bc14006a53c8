package dev.longshore.vm.machine;

import java.nio.file.Path;

/** Says whether KVM runs guests here. */
@FunctionalInterface
public interface KvmProbe {
    /** Blocks for seconds at most. */
    boolean boots(Path qemu) throws InterruptedException;
}
