package dev.longshore.fileshare.share;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** Where the owners and modes that the guest gives to files are kept. */
public enum Ownership {
    /** In the host's own inodes: this process is root and may give files away and act as their owner. Devices are none on the host even so. */
    HOST,
    /**
     * What an ordinary user's process cannot store in the inode is kept beside it, as {@link Override}: other owners, set-id
     * bits, modes that would lock this process out, device nodes.
     */
    OVERRIDE;

    /** CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_FSETID, CAP_SETGID, CAP_SETUID: linux/capability.h. */
    private static final long NEEDED = 1 | 1 << 1 | 1 << 3 | 1 << 4 | 1 << 6 | 1 << 7;

    /** What this process can do. */
    public static Ownership ofThisProcess() {
        try {
            return of(Files.readAllLines(Path.of("/proc/self/status")));
        } catch (IOException | NumberFormatException e) {
            return OVERRIDE; // it works always
        }
    }

    /**
     * What a process with this {@code /proc/PID/status} can do. One that has the capabilities but is not root would make files in
     * root's name after the first that it made in somebody's: see {@link Credentials}.
     */
    static Ownership of(List<String> status) {
        boolean root = false;
        boolean capable = false;
        for (String line : status) {
            if (line.startsWith("Uid:")) {
                root = line.substring(4)
                        .strip()
                        .split("\\s+", -1)[1]
                        .equals("0"); // real, effective, saved, file system
            } else if (line.startsWith("CapEff:")) {
                long effective = Long.parseUnsignedLong(line.substring(7).strip(), 16);
                capable = (effective & NEEDED) == NEEDED;
            }
        }
        return root && capable ? HOST : OVERRIDE;
    }
}
