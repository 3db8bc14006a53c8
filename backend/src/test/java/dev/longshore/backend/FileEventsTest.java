package dev.longshore.backend;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

class FileEventsTest {
    @Test
    void onlyWhatIsShared_isWatched_whateverTheGuestSaysItHasMounted() {
        Set<Path> claimed = Set.of(
                Path.of("/home/u"),
                Path.of("/home/u/src"),
                Path.of("/home/user"),
                Path.of("/home"),
                Path.of("/etc"),
                Path.of("/home/u/../../etc"),
                Path.of("/"));

        assertThat(FileEvents.within(List.of(Path.of("/home/u"), Path.of("/tmp")), claimed))
                .containsExactlyInAnyOrder(Path.of("/home/u"), Path.of("/home/u/src"));
    }
}
