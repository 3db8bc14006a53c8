package dev.longshore.bench;

import dev.longshore.fileshare.devfuse.DevFuseMount;
import dev.longshore.fileshare.fuse.CacheTimes;
import dev.longshore.fileshare.fuse.FuseServer;
import dev.longshore.fileshare.share.Limits;
import dev.longshore.fileshare.share.Ownership;
import dev.longshore.fileshare.share.SharedFolder;
import java.nio.file.Path;
import java.util.List;

/**
 * Serves a folder on {@code /dev/fuse} until it is unmounted, for suites that others wrote:
 *
 * <pre>ShareFolder FOLDER TARGET STATE-DIRECTORY [-fd N] [-threads N] [-times auto|none] [-owners host|override] [-descriptors N]</pre>
 *
 * With {@code -fd} somebody else, root, has opened {@code /dev/fuse} as that descriptor and mounted it.
 */
public final class ShareFolder {
    private ShareFolder() {}

    public static void main(String[] args) throws Exception {
        int fd = -1;
        int threads = 2;
        CacheTimes times = CacheTimes.AUTO;
        Ownership owners = Ownership.ofThisProcess();
        Limits limits = Limits.ofThisProcess();
        for (int i = 3; i + 1 < args.length; i += 2) {
            String value = args[i + 1];
            switch (args[i]) {
                case "-fd" -> fd = Integer.parseInt(value);
                case "-threads" -> threads = Integer.parseInt(value);
                case "-times" -> times = value.equals("none") ? CacheTimes.NONE : CacheTimes.AUTO;
                case "-owners" -> owners = value.equals("host") ? Ownership.HOST : Ownership.OVERRIDE;
                case "-descriptors" -> limits = new Limits(limits.nodes(), Integer.parseInt(value), limits.handles());
                default -> throw new IllegalArgumentException(args[i]);
            }
        }
        Path target = Path.of(args[1]);
        SharedFolder folder = new SharedFolder(Path.of(args[0]));
        try (FuseServer server = new FuseServer(List.of(folder), owners, limits, times, Path.of(args[2]))) {
            DevFuseMount mount = fd < 0
                    ? DevFuseMount.of(target, server, threads, server::threadEnds)
                    : DevFuseMount.serve(fd, target, server, threads, server::threadEnds);
            mount.join();
        }
    }
}
