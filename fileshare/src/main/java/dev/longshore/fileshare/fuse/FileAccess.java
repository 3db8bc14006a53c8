package dev.longshore.fileshare.fuse;

/**
 * Something that the guest did to a file of the host, or was refused.
 *
 * @param epochMillis when it was done
 * @param path the host's; of names that are not UTF-8 what is not is replaced
 * @param to where to: the new path of a rename or of a hard link, what a symbolic link says; otherwise empty
 * @param uid of the process in the guest that asked, as {@code gid}; 0 for closing, which the guest's kernel does
 * @param pid of that process, as the guest's first process sees it; 0 for closing
 * @param errno 0, or why it failed
 * @param bytesRead of a file that is closed: since it was opened, or since somebody first wanted to know, if that was later
 * @param bytesWritten the same
 */
public record FileAccess(
        long epochMillis,
        Kind kind,
        String path,
        String to,
        int uid,
        int gid,
        int pid,
        int errno,
        long bytesRead,
        long bytesWritten) {
    /** What was done. */
    public enum Kind {
        OPEN_TO_READ,
        OPEN_TO_WRITE,
        /** A new file, which is open from then on. */
        CREATE,
        CLOSE,
        LIST,
        MKDIR,
        /** A FIFO, a socket, a device or a file that is not opened. */
        MKNOD,
        SYMLINK,
        LINK,
        UNLINK,
        RMDIR,
        RENAME,
        TRUNCATE,
        CHMOD,
        CHOWN,
        /** Times. */
        UTIMENS,
        SETXATTR,
        REMOVEXATTR
    }

    /** Hears of accesses. */
    @FunctionalInterface
    public interface Listener {
        /** After each access, on the thread that did it: must be quick, and neither wait nor throw. */
        void onAccess(FileAccess access);
    }
}
