package dev.longshore.fileshare.share;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Where the owners and modes that the guest gives to files are kept. */
public enum Ownership {
    /** In the host's own inodes: this process may give files away and act as their owner. Devices are none on the host even so. */
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
            for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
                if (line.startsWith("CapEff:")) {
                    long effective = Long.parseUnsignedLong(line.substring(7).strip(), 16);
                    return (effective & NEEDED) == NEEDED ? HOST : OVERRIDE;
                }
            }
        } catch (IOException | NumberFormatException e) {
            return OVERRIDE; // it works always
        }
        return OVERRIDE;
    }
}
