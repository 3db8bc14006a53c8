package dev.longshore.control;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.Timestamp;
import dev.longshore.proto.control.v1.FileAccess;
import dev.longshore.proto.control.v1.FileEventFigures;
import dev.longshore.proto.control.v1.FileServerFigures;
import dev.longshore.proto.control.v1.FileServiceGrpc;
import dev.longshore.proto.control.v1.FolderMount;
import dev.longshore.proto.control.v1.ListSharedFoldersReply;
import dev.longshore.proto.control.v1.ListSharedFoldersRequest;
import dev.longshore.proto.control.v1.SharedFolder;
import dev.longshore.proto.control.v1.WatchFileAccessesReply;
import dev.longshore.proto.control.v1.WatchFileAccessesRequest;
import io.grpc.Context;
import io.grpc.Context.CancellableContext;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.util.Iterator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;

/** FileService over a real socket. */
@Timeout(60)
class FileServiceTest {
    private final FakeDaemon daemon = new FakeDaemon();

    @RegisterExtension
    private final RunningServer running = new RunningServer(daemon);

    @Test
    void sharedFolders_areAnsweredFieldByField() {
        ListSharedFoldersReply reply = FileServiceGrpc.newBlockingStub(running.channel())
                .listSharedFolders(ListSharedFoldersRequest.getDefaultInstance());

        assertThat(reply.getFoldersList())
                .containsExactly(SharedFolder.newBuilder()
                        .setPath("/home/u")
                        .setPresent(true)
                        .addMounts(FolderMount.newBuilder()
                                .setContainerId("0123abc")
                                .setContainerName("web")
                                .setRunning(true)
                                .setSource("/home/u/src")
                                .setTarget("/src")
                                .setReadOnly(true))
                        .build());
        assertThat(reply.getFigures())
                .isEqualTo(FileServerFigures.newBuilder()
                        .setRequests(1)
                        .setErrors(2)
                        .setBytesRead(3)
                        .setBytesWritten(4)
                        .setNodes(5)
                        .setDescriptors(6)
                        .setRequestsUnderWay(7)
                        .build());
        assertThat(reply.getEvents())
                .isEqualTo(FileEventFigures.newBuilder()
                        .setEnabled(true)
                        .setDirectories(1)
                        .setDirectoriesUnwatched(2)
                        .setTold(3)
                        .setUnheard(4)
                        .setOwn(5)
                        .setDropped(6)
                        .setLost(7)
                        .setWaiting(8)
                        .build());
    }

    private Iterator<WatchFileAccessesReply> watch(String under) {
        return FileServiceGrpc.newBlockingStub(running.channel())
                .watchFileAccesses(
                        WatchFileAccessesRequest.newBuilder().setUnder(under).build());
    }

    @Test
    void accesses_areToldFieldByField_untilTheGuestEnds() {
        FilesControl.Access access = new FilesControl.Access(
                1_500, "rename", "/home/u/a", "/home/u/b", 1, 2, 3, 13, "permission denied", 4, 5);

        daemon.files.happens(access, 6);
        Iterator<WatchFileAccessesReply> replies = watch("/home/u");

        FileAccess told = FileAccess.newBuilder()
                .setTime(Timestamp.newBuilder().setSeconds(1).setNanos(500_000_000))
                .setKind("rename")
                .setPath("/home/u/a")
                .setTo("/home/u/b")
                .setUid(1)
                .setGid(2)
                .setPid(3)
                .setErrno(13)
                .setError("permission denied")
                .setBytesRead(4)
                .setBytesWritten(5)
                .build();
        assertThat(replies.next())
                .isEqualTo(WatchFileAccessesReply.newBuilder()
                        .addAccesses(told)
                        .setLost(6)
                        .build());
        daemon.files.happens(access, 0);
        assertThat(replies.next().getAccessesList()).containsExactly(told);
        daemon.files.end();
        assertThat(replies.hasNext()).isFalse();
    }

    @Test
    void watchThatIsRefused_saysWhy() {
        Iterator<WatchFileAccessesReply> replies = watch("here");

        assertThatThrownBy(replies::hasNext).isInstanceOfSatisfying(StatusRuntimeException.class, e -> {
            assertThat(e.getStatus().getCode()).isEqualTo(Status.Code.INVALID_ARGUMENT);
            assertThat(e.getStatus().getDescription()).isEqualTo("not a path: here");
        });
    }

    @Test
    void caller_whoLeaves_isNotToldAnyMore() throws InterruptedException {
        CancellableContext call = Context.current().withCancellation();
        call.run(() -> {
            Iterator<WatchFileAccessesReply> replies = watch("/home/u");
            daemon.files.happens(new FilesControl.Access(0, "list", "/home/u", "", 0, 0, 0, 0, "", 0, 0), 0);
            assertThat(replies.next().getAccessesCount()).isEqualTo(1);
        });

        call.cancel(null);

        assertThat(daemon.files.awaitEnd(30)).isTrue();
    }
}
