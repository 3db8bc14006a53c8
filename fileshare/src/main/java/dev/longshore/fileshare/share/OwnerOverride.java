package dev.longshore.fileshare.share;

import dev.longshore.fileshare.os.Stat;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/**
 * Owner, mode and kind of a file as the guest set them, where the host's inode cannot have them. Immutable.
 *
 * <p>As text it is what containers/storage and libkrun keep in {@code user.containers.override_stat}:
 * {@code uid:gid:0mode}, and {@code :block-MAJOR-MINOR} or {@code :char-MAJOR-MINOR} for devices.
 *
 * @param mode kind (S_IFMT) and permission bits; the kind is 0 if it is the host's
 */
record OwnerOverride(int uid, int gid, int mode, int major, int minor) {
    private static final int PERMISSIONS = 0xFFF;
    private static final int RWX = 0x1FF;
    private static final int MAX_TEXT_BYTES = 100;

    /** What the host's mode is set to along with this: never less than the owner, this process, needs for itself. */
    static int hostMode(int mode, boolean directory) {
        return (mode & RWX) | (directory ? 0x1C0 : 0x180);
    }

    /**
     * Replaces what {@code stat} has of the host. If somebody on the host has changed the mode since, theirs counts, and a set-id
     * bit that it has not is gone.
     */
    void applyTo(Stat stat) {
        int host = stat.mode() & RWX;
        int kind = (mode & Stat.S_IFMT) != 0 ? mode & Stat.S_IFMT : stat.type();
        boolean untouched = stat.type() == Stat.S_IFLNK || host == hostMode(mode, stat.isDirectory());
        int permissions = (untouched ? mode : stat.mode()) & PERMISSIONS;
        stat.mode(kind | permissions);
        stat.owner(uid, gid);
        if (kind == Stat.S_IFBLK || kind == Stat.S_IFCHR) {
            stat.device(major, minor);
        }
    }

    /** Only that it is a device, if it is one. */
    void applyKindTo(Stat stat) {
        int kind = mode & Stat.S_IFMT;
        if (kind != 0) {
            stat.mode(kind | (stat.mode() & PERMISSIONS));
            stat.device(major, minor);
        }
    }

    /** True if it says nothing that {@code stat}, the host's, does not. */
    boolean isIn(Stat stat) {
        return uid == stat.uid()
                && gid == stat.gid()
                && (mode & Stat.S_IFMT) == 0
                && (mode & PERMISSIONS) == (stat.mode() & PERMISSIONS);
    }

    byte[] bytes() {
        String text = Integer.toUnsignedString(uid) + ":" + Integer.toUnsignedString(gid) + ":0"
                + Integer.toOctalString(mode & PERMISSIONS);
        String device = Integer.toUnsignedString(major) + "-" + Integer.toUnsignedString(minor);
        return (switch (mode & Stat.S_IFMT) {
                    case Stat.S_IFBLK -> text + ":block-" + device;
                    case Stat.S_IFCHR -> text + ":char-" + device;
                    default -> text;
                })
                .getBytes(StandardCharsets.US_ASCII);
    }

    /** Null if {@code bytes} are nothing that could be understood. */
    static @Nullable OwnerOverride parse(byte[] bytes) {
        if (bytes.length > MAX_TEXT_BYTES) {
            return null;
        }
        String[] parts = new String(bytes, StandardCharsets.ISO_8859_1).split(":", 4);
        try {
            if (parts.length < 3) {
                return null;
            }
            int uid = Integer.parseUnsignedInt(parts[0]);
            int gid = Integer.parseUnsignedInt(parts[1]);
            int mode = Integer.parseUnsignedInt(parts[2], 8) & PERMISSIONS;
            String[] device = parts.length == 4 ? parts[3].split("-", 3) : new String[0];
            if (device.length == 3 && (device[0].equals("block") || device[0].equals("char"))) {
                int kind = device[0].equals("block") ? Stat.S_IFBLK : Stat.S_IFCHR;
                return new OwnerOverride(
                        uid,
                        gid,
                        mode | kind,
                        Integer.parseUnsignedInt(device[1]),
                        Integer.parseUnsignedInt(device[2]));
            }
            return new OwnerOverride(uid, gid, mode, 0, 0);
        } catch (NumberFormatException e) {
            return null;
        }
    }
}
