package dev.longshore.bench;

import dev.longshore.fileshare.fuse.CacheTimes;
import dev.longshore.fileshare.fuse.FuseServer;
import dev.longshore.fileshare.share.Limits;
import dev.longshore.fileshare.share.Ownership;
import dev.longshore.fileshare.share.SharedFolder;
import dev.longshore.fileshare.virtiofs.FileWorkers;
import dev.longshore.fileshare.virtiofs.VirtioFsConfig;
import dev.longshore.fileshare.virtiofs.VirtioFsDevice;
import dev.longshore.virtio.vhostuser.VhostUserBackend;
import dev.longshore.vpnkit.hostsocket.HalfCloseEpoll;
import io.netty.channel.IoEventLoop;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import java.nio.file.Path;
import java.util.List;

/**
 * Serves a folder to a guest, as the product does, until it is killed; whether the guest asks for the tag is the last word:
 *
 * <pre>ShareToGuest FOLDER SOCKET STATE-DIRECTORY true|false</pre>
 */
final class ShareToGuest {
    static final String TAG = "bench";

    private ShareToGuest() {}

    public static void main(String[] args) throws Exception {
        IoEventLoop loop = new MultiThreadIoEventLoopGroup(1, HalfCloseEpoll.newFactory()).next();
        FuseServer server = new FuseServer(
                List.of(new SharedFolder(Path.of(args[0]))),
                Ownership.ofThisProcess(),
                Limits.ofThisProcess(),
                CacheTimes.AUTO,
                Path.of(args[2]));
        FileWorkers workers = new FileWorkers(
                server.fileThreads("files-worker", FileWorkers.threads(), List.of()),
                server.fileThreads("files-slow", FileWorkers.SLOW_THREADS, List.of()));
        VirtioFsDevice device =
                new VirtioFsDevice(loop, new VirtioFsConfig(TAG, Boolean.parseBoolean(args[3]), 1), server, workers);
        VhostUserBackend socket = new VhostUserBackend(loop, device, Path.of(args[1]));
        socket.open().sync();
        loop.terminationFuture().await();
    }
}
