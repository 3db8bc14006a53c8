package dev.longshore.vm.image;

/** Which kernel an image is built with. */
public enum GuestKernel {
    /** Debian's package user-mode-linux: a program. */
    UML,
    /** Debian's kernel for virtual machines, with an initial file system that finds the root disk. */
    CLOUD
}
