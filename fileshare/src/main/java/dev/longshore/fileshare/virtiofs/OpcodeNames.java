package dev.longshore.fileshare.virtiofs;

/** What requests are called in metrics: {@code enum fuse_opcode} of Linux include/uapi/linux/fuse.h. */
public final class OpcodeNames {
    private static final String[] NAMES = {
        "other",
        "lookup",
        "forget",
        "getattr",
        "setattr",
        "readlink",
        "symlink",
        "",
        "mknod",
        "mkdir",
        "unlink",
        "rmdir",
        "rename",
        "link",
        "open",
        "read",
        "write",
        "statfs",
        "release",
        "",
        "fsync",
        "setxattr",
        "getxattr",
        "listxattr",
        "removexattr",
        "flush",
        "init",
        "opendir",
        "readdir",
        "releasedir",
        "fsyncdir",
        "getlk",
        "setlk",
        "setlkw",
        "access",
        "create",
        "interrupt",
        "bmap",
        "destroy",
        "ioctl",
        "poll",
        "",
        "batch_forget",
        "fallocate",
        "readdirplus",
        "rename2",
        "lseek",
        "copy_file_range",
        "setupmapping",
        "removemapping",
        "syncfs",
        "tmpfile",
        "statx",
        "copy_file_range_64"
    };

    private OpcodeNames() {}

    static int count() {
        return NAMES.length;
    }

    /** Empty for what is no opcode; {@code other} for 0, where all those are counted. */
    public static String of(int opcode) {
        return opcode >= 0 && opcode < NAMES.length ? NAMES[opcode] : "";
    }
}
