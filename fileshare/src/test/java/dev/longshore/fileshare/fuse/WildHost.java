package dev.longshore.fileshare.fuse;

import dev.longshore.fileshare.os.FileData;
import dev.longshore.fileshare.os.Open;
import dev.longshore.fileshare.os.Posix;
import dev.longshore.fileshare.os.Stat;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.function.IntUnaryOperator;

/**
 * Somebody on the host who moves things about in the directory of a shared folder: files become links, directories leave and come back, and
 * the folder itself is exchanged for a link to outside. Confined to one thread.
 */
final class WildHost implements AutoCloseable {
    private static final List<String> NAMES = List.of("a", "b", "c", "d", "e", "f", "l");
    private static final int EXCHANGE = 2;

    private final Posix posix = new Posix();
    private final FileData data = new FileData();
    private final IntUnaryOperator choose;
    private final MemorySegment out;
    private final MemorySegment secret;
    private final MemorySegment inside = Arena.ofAuto().allocateFrom("inside");
    private final int top;
    private final int share;
    private final int limbo;

    /** @param directory has the folders share, outside and limbo and the link {@code link} to outside */
    WildHost(Path directory, IntUnaryOperator choose) {
        this.choose = choose;
        out = Arena.ofAuto().allocateFrom(directory.resolve("outside").toString());
        secret = Arena.ofAuto().allocateFrom("../outside/" + Outside.CANARY);
        top = open(Open.AT_FDCWD, directory.toString());
        share = open(top, "share");
        limbo = open(top, "limbo");
    }

    private int open(int dir, String name) {
        int fd = posix.openat(dir, path(name), Open.O_PATH | Open.O_DIRECTORY | Open.O_CLOEXEC, 0);
        if (fd < 0) {
            throw new IllegalStateException(name + ": " + fd);
        }
        return fd;
    }

    private MemorySegment path(String name) {
        return posix.name(name.getBytes(StandardCharsets.UTF_8));
    }

    private MemorySegment otherPath(String name) {
        return posix.otherName(name.getBytes(StandardCharsets.UTF_8));
    }

    private String name() {
        return NAMES.get(choose.applyAsInt(NAMES.size()));
    }

    /** A name, or one in one of the directories. */
    private String where() {
        return choose.applyAsInt(3) == 0 ? name() + "/" + name() : name();
    }

    void step() {
        switch (choose.applyAsInt(12)) {
            case 0, 1 -> posix.renameat2(share, path(name()), share, otherPath(name()), EXCHANGE);
            case 2 -> posix.renameat2(share, path(plain(where())), share, otherPath(name()), 0);
            case 3 -> replace(out);
            case 4 -> replace(secret);
            case 5 -> {
                String name = name();
                posix.mkdirat(share, path(name), 0x1C0);
                write(name + "/" + name());
            }
            case 6 -> write(name());
            case 7 -> posix.renameat2(share, path(name()), limbo, otherPath(name()), 0);
            case 8 -> posix.renameat2(limbo, path(name()), share, otherPath(name()), 0);
            case 9 -> posix.mknodat(share, path(name()), Stat.S_IFIFO | 0x1B6, 0);
            case 10 -> posix.unlinkat(share, path(name()), 0);
            default -> {
                if (choose.applyAsInt(20) == 0) {
                    posix.renameat2(top, path("share"), top, otherPath("link"), EXCHANGE);
                    posix.renameat2(top, path("share"), top, otherPath("link"), EXCHANGE);
                }
            }
        }
    }

    private void replace(MemorySegment target) {
        String name = name();
        posix.unlinkat(share, path(name), 0);
        posix.symlinkat(target, share, path(name));
    }

    /** By no link: this is not who is tested. */
    private void write(String name) {
        int fd = posix.openBeneath(share, path(name), Open.O_WRONLY | Open.O_CREAT | Open.O_NONBLOCK, 0x1B6);
        if (fd >= 0) {
            data.write(fd, inside, inside.byteSize() - 1);
            posix.close(fd);
        }
    }

    /** What of {@code name} is in the folder itself. */
    private String plain(String name) {
        int fd = posix.openBeneath(share, path(name), Open.O_PATH | Open.O_NOFOLLOW, 0);
        if (fd >= 0) {
            posix.close(fd);
            return name.indexOf('/') < 0 ? name : name.substring(0, name.indexOf('/'));
        }
        return "a";
    }

    @Override
    public void close() {
        posix.close(top);
        posix.close(share);
        posix.close(limbo);
    }
}
