package dev.longshore.control;

import dev.longshore.proto.control.v1.FileEventFigures;
import dev.longshore.proto.control.v1.FileServerFigures;
import dev.longshore.proto.control.v1.FileServiceGrpc;
import dev.longshore.proto.control.v1.FolderMount;
import dev.longshore.proto.control.v1.ListSharedFoldersReply;
import dev.longshore.proto.control.v1.ListSharedFoldersRequest;
import dev.longshore.proto.control.v1.SharedFolder;
import dev.longshore.proto.control.v1.WatchFileAccessesReply;
import dev.longshore.proto.control.v1.WatchFileAccessesRequest;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.util.concurrent.Executor;

/** FileService of {@code files.proto}. Thread-safe: holds nothing but the file server. */
final class FileEndpoint extends FileServiceGrpc.FileServiceImplBase {
    private final FilesControl files;
    private final Executor calls;

    /** {@code calls} does the work of all watchers. */
    FileEndpoint(FilesControl files, Executor calls) {
        this.files = files;
        this.calls = calls;
    }

    @Override
    public void listSharedFolders(ListSharedFoldersRequest request, StreamObserver<ListSharedFoldersReply> observer) {
        Answer.when(files.shared(), observer, FileEndpoint::reply);
    }

    @Override
    public void watchFileAccesses(WatchFileAccessesRequest request, StreamObserver<WatchFileAccessesReply> observer) {
        FileAccessWatcher watcher =
                new FileAccessWatcher((ServerCallStreamObserver<WatchFileAccessesReply>) observer, calls);
        switch (files.watch(request.getUnder(), watcher::wake)) {
            case Outcome.Failed<FilesControl.Watch> f -> Answer.refuse(observer, f.reason(), f.text());
            case Outcome.Done<FilesControl.Watch> d -> watcher.start(d.value());
        }
    }

    private static ListSharedFoldersReply reply(FilesControl.Shared shared) {
        ListSharedFoldersReply.Builder reply = ListSharedFoldersReply.newBuilder()
                .setFigures(figures(shared.figures()))
                .setEvents(events(shared.events()));
        for (FilesControl.Folder folder : shared.folders()) {
            SharedFolder.Builder one =
                    SharedFolder.newBuilder().setPath(folder.path()).setPresent(folder.present());
            folder.mounts().forEach(mount -> one.addMounts(mount(mount)));
            reply.addFolders(one);
        }
        return reply.addAllNeverShared(shared.withheld()).build();
    }

    private static FolderMount mount(FilesControl.Mount mount) {
        return FolderMount.newBuilder()
                .setContainerId(mount.containerId())
                .setContainerName(mount.containerName())
                .setRunning(mount.running())
                .setSource(mount.source())
                .setTarget(mount.target())
                .setReadOnly(mount.readOnly())
                .build();
    }

    private static FileEventFigures events(FilesControl.Events e) {
        return FileEventFigures.newBuilder()
                .setEnabled(e.enabled())
                .setDirectories(e.directories())
                .setDirectoriesUnwatched(e.unwatched())
                .setTold(e.told())
                .setUnheard(e.unheard())
                .setOwn(e.own())
                .setDropped(e.dropped())
                .setLost(e.lost())
                .setWaiting(e.waiting())
                .build();
    }

    private static FileServerFigures figures(FilesControl.Figures f) {
        return FileServerFigures.newBuilder()
                .setRequests(f.requests())
                .setErrors(f.errors())
                .setBytesRead(f.bytesRead())
                .setBytesWritten(f.bytesWritten())
                .setNodes(f.nodes())
                .setDescriptors(f.descriptors())
                .setRequestsUnderWay(f.requestsUnderWay())
                .build();
    }
}
