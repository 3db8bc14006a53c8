package dev.longshore.backend;

import dev.longshore.control.FilesControl;
import dev.longshore.control.Outcome;
import dev.longshore.engine.EngineDialer;
import dev.longshore.engine.client.EngineClient;
import dev.longshore.fileshare.fuse.FuseServer;
import dev.longshore.fileshare.virtiofs.VirtioFsCounters;
import dev.longshore.fileshare.virtiofs.VirtioFsDevice;
import io.netty.util.concurrent.Future;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.RejectedExecutionException;
import tools.jackson.databind.JsonNode;

/** The file server as observers see it. Thread-safe: the Engine is asked on its dialer's loop. */
final class FilesView implements FilesControl {
    private static final int OK = 200;

    private final HostFolders folders;
    private final OwnFiles own;
    private final FuseServer server;
    private final VirtioFsDevice device;
    private final FileEvents events;
    private final FileAccessLog accesses;
    private final EngineDialer dialer;
    private final EngineClient engine; // used on the dialer's loop

    FilesView(
            HostFolders folders,
            OwnFiles own,
            FuseServer server,
            VirtioFsDevice device,
            FileEvents events,
            FileAccessLog accesses,
            EngineDialer dialer) {
        this.folders = folders;
        this.own = own;
        this.server = server;
        this.device = device;
        this.events = events;
        this.accesses = accesses;
        this.dialer = dialer;
        engine = new EngineClient(dialer);
    }

    @Override
    public CompletionStage<Outcome<Shared>> shared() {
        CompletableFuture<Outcome<Shared>> answer = new CompletableFuture<>();
        try {
            dialer.loop().execute(() -> engine.get("/containers/json?all=1")
                    .addListener((Future<EngineClient.Answer> got) -> answer.complete(shared(got))));
        } catch (RejectedExecutionException e) {
            answer.complete(new Outcome.Failed<>(Outcome.Reason.WRONG_STATE, "the guest has just ended"));
        }
        return answer;
    }

    @Override
    public Outcome<Watch> watch(String under, Runnable wake) {
        return accesses.watch(under, wake);
    }

    private Outcome<Shared> shared(Future<EngineClient.Answer> got) {
        if (!got.isSuccess()) {
            return new Outcome.Failed<>(
                    Outcome.Reason.FAILED,
                    "the Engine does not answer: " + got.cause().getMessage());
        }
        EngineClient.Answer answer = got.getNow();
        return answer.status() == OK
                ? new Outcome.Done<>(
                        new Shared(folders(mounts(answer.body())), withheld(), figures(), events.figures()))
                : new Outcome.Failed<>(Outcome.Reason.FAILED, "the Engine answers with status " + answer.status());
    }

    /** Bind mounts of what is below the guest's mount point, of all containers. */
    private static List<Mount> mounts(JsonNode containers) {
        List<Mount> all = new ArrayList<>();
        for (JsonNode container : containers) {
            for (JsonNode mount : container.path("Mounts")) {
                String source = mount.path("Source").asString("");
                if (source.startsWith(HostFolders.MOUNT_POINT + "/")) {
                    String name = container.path("Names").path(0).asString("");
                    all.add(new Mount(
                            container.path("Id").asString(""),
                            name.startsWith("/") ? name.substring(1) : name,
                            container.path("State").asString("").equals("running"),
                            source.substring(HostFolders.MOUNT_POINT.length()),
                            mount.path("Destination").asString(""),
                            !mount.path("RW").asBoolean(true)));
                }
            }
        }
        return all;
    }

    private List<Folder> folders(List<Mount> mounts) {
        return folders.shared().stream()
                .map(f -> new Folder(
                        f.toString(),
                        Files.isDirectory(f),
                        mounts.stream()
                                .filter(m -> isBelow(m.source(), f.toString()))
                                .toList()))
                .toList();
    }

    /** As text: what the guest says need not be a path of this host. */
    private static boolean isBelow(String source, String folder) {
        return source.equals(folder) || source.startsWith(folder + "/");
    }

    private List<String> withheld() {
        return own.outermost().stream().map(Path::toString).toList();
    }

    private Figures figures() {
        VirtioFsCounters c = device.counters();
        return new Figures(
                c.requests(),
                c.errors(),
                c.bytesRead(),
                c.bytesWritten(),
                server.nodeCount(),
                server.descriptorCount(),
                device.underWay());
    }
}
