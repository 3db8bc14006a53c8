package dev.longshore.control;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.proto.control.v1.FileEventFigures;
import dev.longshore.proto.control.v1.FileServerFigures;
import dev.longshore.proto.control.v1.FileServiceGrpc;
import dev.longshore.proto.control.v1.FolderMount;
import dev.longshore.proto.control.v1.ListSharedFoldersReply;
import dev.longshore.proto.control.v1.ListSharedFoldersRequest;
import dev.longshore.proto.control.v1.SharedFolder;
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
}
