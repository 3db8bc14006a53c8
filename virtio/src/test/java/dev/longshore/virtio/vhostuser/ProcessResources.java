package dev.longshore.virtio.vhostuser;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;

/** What this process holds, to see that nothing leaks. */
public record ProcessResources(long descriptors, long guestMappings) {
    public static ProcessResources now() {
        try (Stream<Path> fds = Files.list(Path.of("/proc/self/fd"));
                Stream<String> maps = Files.lines(Path.of("/proc/self/maps"))) {
            return new ProcessResources(
                    fds.count(), maps.filter(l -> l.contains("longshore-test")).count());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
