package dev.longshore.fileshare.fuse;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.fileshare.os.Open;
import dev.longshore.fileshare.share.NodeTable;
import dev.longshore.fileshare.share.SharedFolder;
import dev.longshore.linux.Errno;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What an observer hears of the guest's accesses. */
class FileAccessTest {
    private static final int FATTR_ATIME_NOW = 1 << 4 | 1 << 7;
    private static final int PID = 1;

    @TempDir
    Path host;

    @TempDir
    Path state;

    private final List<FileAccess> heard = new ArrayList<>();
    private Path folder;
    private FuseServer server;
    private FuseGuest guest;
    private long root;
    private int uid;
    private int gid;

    @BeforeEach
    void start() throws IOException {
        folder = Files.createDirectory(host.toRealPath().resolve("share"));
        uid = (int) Files.getAttribute(folder, "unix:uid");
        gid = (int) Files.getAttribute(folder, "unix:gid");
        server = new FuseServer(List.of(new SharedFolder(folder)), state);
        guest = new FuseGuest(server).as(uid, gid);
        guest.init().ok();
        root = guest.walk(folder.toString()).node();
        server.listen(heard::add);
    }

    @AfterEach
    void stop() throws IOException {
        server.close();
    }

    private List<String> told() {
        return heard.stream()
                .map(a -> a.kind() + " " + folder.relativize(Path.of(a.path()))
                        + (a.to().isEmpty() ? "" : " " + a.to().replace(folder + "/", ""))
                        + (a.errno() == 0 ? "" : " " + a.errno()))
                .toList();
    }

    @Test
    void whatIsDoneToAFile_isTold_withWhoDidIt() {
        long[] made = guest.create(root, "a", Open.O_RDWR, 0644);
        guest.write(made[0], made[1], 0, "content".getBytes(StandardCharsets.UTF_8))
                .ok();
        guest.read(made[0], made[1], 0, 4).ok();
        guest.release(made[0], made[1]).ok();

        assertThat(told()).containsExactly("CREATE a", "CLOSE a");
        FileAccess create = heard.getFirst();
        assertThat(List.of(create.uid(), create.gid(), create.pid())).containsExactly(uid, gid, PID);
        assertThat(heard.getLast().bytesRead()).isEqualTo(4);
        assertThat(heard.getLast().bytesWritten()).isEqualTo(7);
    }

    @Test
    void opening_saysWhatFor() throws IOException {
        Files.createFile(folder.resolve("a"));
        long a = guest.lookup(root, "a").node();

        guest.open(a, Open.O_RDONLY).ok();
        guest.open(a, Open.O_WRONLY).ok();
        guest.open(a, Open.O_RDONLY | Open.O_TRUNC).ok();
        long _ = guest.opendir(root);

        assertThat(told()).containsExactly("OPEN_TO_READ a", "OPEN_TO_WRITE a", "OPEN_TO_WRITE a", "LIST ");
    }

    @Test
    void changesOfNames_areTold_withBoth() {
        long d = guest.mkdir(root, "d", 0755).node();
        guest.mknod(root, "pipe", 0010644, 0).ok();
        guest.symlink(root, "s", "where/ever").ok();
        long pipe = guest.lookup(root, "pipe").node();
        guest.link(pipe, d, "hard").ok();
        guest.rename(d, "hard", root, "moved", 0).ok();
        guest.unlink(root, "moved").ok();
        guest.rmdir(root, "d").ok();

        assertThat(told())
                .containsExactly(
                        "MKDIR d",
                        "MKNOD pipe",
                        "SYMLINK s where/ever",
                        "LINK pipe d/hard",
                        "RENAME d/hard moved",
                        "UNLINK moved",
                        "RMDIR d");
    }

    @Test
    void changesOfAttributes_areTold() throws IOException {
        Files.createFile(folder.resolve("a"));
        long a = guest.lookup(root, "a").node();

        guest.setattr(a, -1, -1, 0600).ok();
        guest.setattr(a, uid, -1, -1).ok();
        guest.truncate(a, 5, 0).ok();
        guest.call(
                        Opcode.SETATTR,
                        a,
                        FuseGuest.buffer(88).putInt(FATTR_ATIME_NOW).array())
                .ok();
        guest.setxattr(a, "user.x", "1").ok();

        assertThat(told()).containsExactly("CHMOD a", "CHOWN a", "TRUNCATE a", "UTIMENS a", "SETXATTR a");
    }

    @Test
    void whatIsRefused_isToldWithTheReason() {
        guest.unlink(root, "nothing");

        assertThat(told()).containsExactly("UNLINK nothing " + Errno.ENOENT);
    }

    @Test
    void whatIsNotTheHosts_orNoRequest_isNotTold() {
        guest.mkdirReply(NodeTable.ROOT_ID, "x", 0755);
        guest.unlink(root, "");
        guest.unlink(987_654, "a");
        guest.call(Opcode.UNLINK, root, new byte[0]);
        guest.call(Opcode.SYMLINK, root, new byte[] {'a'});
        guest.call(Opcode.RENAME, root, new byte[] {1, 2, 3});
        guest.call(Opcode.RELEASE, root, new byte[0]);

        assertThat(heard).isEmpty();
    }

    @Test
    void nobodyHears_whenTheListenerIsGone() {
        server.listen(null);

        guest.mkdirReply(root, "d", 0755).ok();

        assertThat(heard).isEmpty();
    }
}
