package dev.longshore.fileshare.fuse;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;

/** A tree that no guest may touch, and how it was. */
final class Outside {
    /** The name of a file in it. */
    static final String CANARY = "canary";

    /** What is in that file, and a name in the tree. */
    static final String SECRET = "S3CR3T";

    private final Path directory;
    private final Map<Path, List<Object>> before;

    /** Makes the directory and what is in it. */
    Outside(Path directory) throws IOException {
        this.directory = Files.createDirectories(directory);
        Files.writeString(directory.resolve(CANARY), SECRET);
        Files.createDirectory(directory.resolve("d"));
        Files.writeString(directory.resolve("d/a"), SECRET);
        Files.writeString(directory.resolve("a"), SECRET);
        Files.writeString(directory.resolve(SECRET), SECRET);
        Files.createSymbolicLink(directory.resolve("l"), Path.of("a"));
        before = look();
    }

    /** Change times included, which nobody can set. */
    private Map<Path, List<Object>> look() throws IOException {
        Map<Path, List<Object>> all = new TreeMap<>();
        try (Stream<Path> paths = Files.walk(directory)) {
            for (Path p : paths.toList()) {
                Map<String, Object> a = Files.readAttributes(
                        p, "unix:ino,mode,uid,gid,nlink,size,lastModifiedTime,ctime", LinkOption.NOFOLLOW_LINKS);
                boolean file = Files.isRegularFile(p, LinkOption.NOFOLLOW_LINKS);
                String text = file ? Files.readString(p, StandardCharsets.ISO_8859_1) : "";
                all.put(p, List.of(new TreeMap<>(a).toString(), text));
            }
        }
        return all;
    }

    void assertUntouched(String as) throws IOException {
        assertThat(look()).as(as).isEqualTo(before);
    }
}
