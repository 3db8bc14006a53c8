package dev.longshore.config;

/** What the guest runs on. The setting {@code vm.kind}. */
public enum VmKind {
    /** QEMU where KVM really boots a guest, else User-mode Linux. */
    AUTO,
    UML,
    QEMU
}
