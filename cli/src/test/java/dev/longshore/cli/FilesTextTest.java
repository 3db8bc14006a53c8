package dev.longshore.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.proto.control.v1.FileEventFigures;
import dev.longshore.proto.control.v1.FileServerFigures;
import dev.longshore.proto.control.v1.FolderMount;
import dev.longshore.proto.control.v1.ListSharedFoldersReply;
import dev.longshore.proto.control.v1.SharedFolder;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

class FilesTextTest {
    private static final ListSharedFoldersReply REPLY = ListSharedFoldersReply.newBuilder()
            .addFolders(SharedFolder.newBuilder()
                    .setPath("/home/u")
                    .setPresent(true)
                    .addMounts(FolderMount.newBuilder()
                            .setContainerId("0123456789abcdef")
                            .setContainerName("web")
                            .setRunning(true)
                            .setSource("/home/u/src")
                            .setTarget("/src"))
                    .addMounts(FolderMount.newBuilder()
                            .setContainerId("fedcba9876543210")
                            .setSource("/home/u")
                            .setTarget("/h")
                            .setReadOnly(true)))
            .addFolders(SharedFolder.newBuilder().setPath("/gone"))
            .addNeverShared("/home/u/.cache/longshore")
            .addNeverShared("/home/u/.local/state/longshore")
            .setFigures(FileServerFigures.newBuilder()
                    .setRequests(1234)
                    .setErrors(2)
                    .setBytesRead(3 << 20)
                    .setBytesWritten(5000)
                    .setNodes(7)
                    .setDescriptors(8)
                    .setRequestsUnderWay(9))
            .setEvents(FileEventFigures.newBuilder()
                    .setEnabled(true)
                    .setDirectories(10)
                    .setDirectoriesUnwatched(11)
                    .setTold(12)
                    .setUnheard(13)
                    .setOwn(14)
                    .setDropped(15)
                    .setLost(16)
                    .setWaiting(17))
            .build();

    @Test
    void people_seeFoldersWithTheirContainers() {
        assertThat(FilesText.lines(REPLY))
                .containsExactly(
                        "/home/u",
                        "  web                      /home/u/src -> /src",
                        "  fedcba987654             /home/u -> /h (read-only) (not running)",
                        "/gone   (there is no such folder now)",
                        "never shared, being Longshore's own: /home/u/.cache/longshore, /home/u/.local/state/longshore",
                        "1234 requests, 2 errors, 3 MiB read, 4 KiB written; now 7 nodes, 8 descriptors, 9 requests under way",
                        "10 directories watched for changes: 12 told, 14 of containers' own, 13 unheard, 17 waiting; too many at"
                                + " once: 15 dropped, 16 times the kernel's queue was full; 11 directories are not watched: raise"
                                + " fs.inotify.max_user_watches");
    }

    @Test
    void eventsSwitchedOff_isSaid() {
        assertThat(FilesText.lines(ListSharedFoldersReply.getDefaultInstance()))
                .contains("changes on the host are not told to containers: see the setting filesharingEvents");
    }

    @Test
    void nothingShared_isSaid() {
        assertThat(FilesText.lines(ListSharedFoldersReply.getDefaultInstance()))
                .contains("no folder of the host is shared: see the setting filesharingDirectories");
    }

    @Test
    void programs_seeAllOfIt() {
        JsonNode json = JsonMapper.shared().readTree(FilesText.json(REPLY));

        assertThat(json.path("folders")
                        .path(0)
                        .path("mounts")
                        .path(0)
                        .path("target")
                        .stringValue())
                .isEqualTo("/src");
        assertThat(json.path("folders").path(1).path("present").booleanValue()).isFalse();
        assertThat(json.path("neverShared").path(1).stringValue()).isEqualTo("/home/u/.local/state/longshore");
        assertThat(json.path("figures").path("bytesRead").longValue()).isEqualTo(3 << 20);
        assertThat(json.path("events").path("dropped").longValue()).isEqualTo(15);
    }
}
