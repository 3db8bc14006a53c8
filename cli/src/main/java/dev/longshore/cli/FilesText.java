package dev.longshore.cli;

import dev.longshore.proto.control.v1.FileEventFigures;
import dev.longshore.proto.control.v1.FileServerFigures;
import dev.longshore.proto.control.v1.FolderMount;
import dev.longshore.proto.control.v1.ListSharedFoldersReply;
import dev.longshore.proto.control.v1.SharedFolder;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import tools.jackson.databind.SerializationFeature;
import tools.jackson.databind.json.JsonMapper;

/** Shared folders for people and for programs. */
final class FilesText {
    private static final int SHORT_ID = 12;

    private FilesText() {}

    static List<String> lines(ListSharedFoldersReply reply) {
        List<String> lines = new ArrayList<>();
        if (reply.getFoldersList().isEmpty()) {
            lines.add("no folder of the host is shared: see the setting filesharingDirectories");
        }
        for (SharedFolder folder : reply.getFoldersList()) {
            lines.add(folder.getPath() + (folder.getPresent() ? "" : "   (there is no such folder now)"));
            folder.getMountsList().forEach(mount -> lines.add("  " + line(mount)));
        }
        if (reply.getNeverSharedCount() > 0) {
            lines.add("never shared, being Longshore's own: " + String.join(", ", reply.getNeverSharedList()));
        }
        FileServerFigures f = reply.getFigures();
        lines.add(String.format(
                Locale.ROOT,
                "%d requests, %d errors, %s read, %s written; now %d nodes, %d descriptors, %d requests under way",
                f.getRequests(),
                f.getErrors(),
                bytes(f.getBytesRead()),
                bytes(f.getBytesWritten()),
                f.getNodes(),
                f.getDescriptors(),
                f.getRequestsUnderWay()));
        lines.add(events(reply.getEvents()));
        return lines;
    }

    private static String events(FileEventFigures e) {
        if (!e.getEnabled()) {
            return "changes on the host are not told to containers: see the setting filesharingEvents";
        }
        StringBuilder text = new StringBuilder(String.format(
                Locale.ROOT,
                "%d directories watched for changes: %d told, %d of containers' own, %d unheard, %d waiting",
                e.getDirectories(),
                e.getTold(),
                e.getOwn(),
                e.getUnheard(),
                e.getWaiting()));
        if (e.getDropped() > 0 || e.getLost() > 0) {
            text.append(String.format(
                    Locale.ROOT,
                    "; too many at once: %d dropped, %d times the kernel's queue was full",
                    e.getDropped(),
                    e.getLost()));
        }
        if (e.getDirectoriesUnwatched() > 0) {
            text.append(String.format(
                    Locale.ROOT,
                    "; %d directories are not watched: raise fs.inotify.max_user_watches",
                    e.getDirectoriesUnwatched()));
        }
        return text.toString();
    }

    private static String line(FolderMount mount) {
        String name = mount.getContainerName().isEmpty()
                ? mount.getContainerId()
                        .substring(0, Math.min(SHORT_ID, mount.getContainerId().length()))
                : mount.getContainerName();
        return String.format(
                        Locale.ROOT,
                        "%-24s %s -> %s%s%s",
                        name,
                        mount.getSource(),
                        mount.getTarget(),
                        mount.getReadOnly() ? " (read-only)" : "",
                        mount.getRunning() ? "" : " (not running)")
                .stripTrailing();
    }

    private static String bytes(long n) {
        if (n < 1 << 10) {
            return n + " bytes";
        }
        return n < 1 << 20 ? (n >> 10) + " KiB" : (n >> 20) + " MiB";
    }

    static String json(ListSharedFoldersReply reply) {
        FileServerFigures f = reply.getFigures();
        Map<String, Object> figures = new LinkedHashMap<>();
        figures.put("requests", f.getRequests());
        figures.put("errors", f.getErrors());
        figures.put("bytesRead", f.getBytesRead());
        figures.put("bytesWritten", f.getBytesWritten());
        figures.put("nodes", f.getNodes());
        figures.put("descriptors", f.getDescriptors());
        figures.put("requestsUnderWay", f.getRequestsUnderWay());
        Map<String, Object> json = new LinkedHashMap<>();
        json.put(
                "folders",
                reply.getFoldersList().stream().map(FilesText::folder).toList());
        json.put("neverShared", List.copyOf(reply.getNeverSharedList()));
        json.put("figures", figures);
        json.put("events", eventsJson(reply.getEvents()));
        return JsonMapper.builder()
                .enable(SerializationFeature.INDENT_OUTPUT)
                .build()
                .writeValueAsString(json);
    }

    private static Map<String, Object> eventsJson(FileEventFigures e) {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("enabled", e.getEnabled());
        json.put("directories", e.getDirectories());
        json.put("directoriesUnwatched", e.getDirectoriesUnwatched());
        json.put("told", e.getTold());
        json.put("unheard", e.getUnheard());
        json.put("own", e.getOwn());
        json.put("dropped", e.getDropped());
        json.put("lost", e.getLost());
        json.put("waiting", e.getWaiting());
        return json;
    }

    private static Map<String, Object> folder(SharedFolder folder) {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("path", folder.getPath());
        json.put("present", folder.getPresent());
        json.put("mounts", folder.getMountsList().stream().map(FilesText::mount).toList());
        return json;
    }

    private static Map<String, Object> mount(FolderMount mount) {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("containerId", mount.getContainerId());
        json.put("containerName", mount.getContainerName());
        json.put("running", mount.getRunning());
        json.put("source", mount.getSource());
        json.put("target", mount.getTarget());
        json.put("readOnly", mount.getReadOnly());
        return json;
    }
}
