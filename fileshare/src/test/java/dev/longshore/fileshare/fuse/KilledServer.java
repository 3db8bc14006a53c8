package dev.longshore.fileshare.fuse;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.longshore.fileshare.os.Open;
import dev.longshore.fileshare.os.Stat;
import dev.longshore.fileshare.share.Limits;
import dev.longshore.fileshare.share.Ownership;
import dev.longshore.fileshare.share.SharedFolder;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/**
 * A process for {@link KillTest}: writes files for its guest until it is killed, and says what was fsynced: the name, its number, the owner. Files
 * without a name, unlinked ones and whole directories are made beside.
 */
final class KilledServer {
    private KilledServer() {}

    public static void main(String[] args) throws IOException {
        Path share = Path.of(args[0]);
        FuseServer server = new FuseServer(
                List.of(new SharedFolder(share)),
                Ownership.OVERRIDE,
                new Limits(1000, 16, 100),
                CacheTimes.AUTO,
                Path.of(args[1]));
        FuseGuest guest = new FuseGuest(server);
        guest.init().ok();
        long root = guest.walk(share.toString()).node();
        for (int i = 0; ; i++) {
            int uid = 1000 + i % 50_000;
            guest.as(uid, uid);
            long[] f = guest.create(root, "f" + i, Open.O_RDWR, 0x1A4);
            for (int part = 0; part < 4; part++) {
                guest.write(f[0], f[1], part * 4096L, content(i)).ok();
            }
            guest.setattr(f[0], -1, -1, Stat.S_ISUID | 0x100).ok();
            guest.symlink(root, "l" + i, "f" + i).ok();
            guest.call(
                    Opcode.TMPFILE,
                    root,
                    FuseGuest.buffer(16).putInt(Open.O_RDWR).putInt(0x180).array());
            sync(guest, Opcode.FSYNC, f[0], f[1]);
            long directory = guest.opendir(root);
            sync(guest, Opcode.FSYNCDIR, root, directory);
            guest.call(
                            Opcode.RELEASEDIR,
                            root,
                            FuseGuest.buffer(24).putLong(directory).array())
                    .ok();
            guest.release(f[0], f[1]).ok();
            System.out.println(i + " " + uid);
            System.out.flush();
        }
    }

    /** 4096 bytes that are of file {@code i}. */
    static byte[] content(int i) {
        byte[] bytes = new byte[4096];
        byte[] text = ("file " + i + "\n").getBytes(UTF_8);
        for (int at = 0; at < bytes.length; at++) {
            bytes[at] = text[at % text.length];
        }
        return bytes;
    }

    private static void sync(FuseGuest guest, int opcode, long node, long handle) {
        guest.call(opcode, node, FuseGuest.buffer(16).putLong(handle).array()).ok();
    }
}
