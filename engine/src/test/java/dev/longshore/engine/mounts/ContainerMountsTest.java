package dev.longshore.engine.mounts;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.engine.client.EngineClient;
import io.netty.util.concurrent.Future;
import io.netty.util.concurrent.ImmediateEventExecutor;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** What running containers have mounted. */
class ContainerMountsTest {
    private final List<String> asked = new ArrayList<>();
    private final List<Set<String>> told = new ArrayList<>();
    private final ContainerMounts mounts = new ContainerMounts(this::answer, told::add);

    private Future<EngineClient.Answer> answer(String path) {
        asked.add(path);
        String options = path.endsWith("/disguised")
                ? "{\"Options\":{\"type\":\"none\",\"o\":\"rw,bind\",\"device\":\"/host/v\"}}"
                : "{\"Options\":null}";
        return ImmediateEventExecutor.INSTANCE.newSucceededFuture(new EngineClient.Answer(200, json(options)));
    }

    private static JsonNode json(String text) {
        return JsonMapper.shared().readTree(text);
    }

    private static JsonNode container(boolean running, String... mounts) {
        return json("{\"State\":{\"Running\":" + running + "},\"Mounts\":[" + String.join(",", mounts) + "]}");
    }

    private static String bind(String source) {
        return "{\"Type\":\"bind\",\"Source\":\"" + source + "\"}";
    }

    private static String volume(String name) {
        return "{\"Type\":\"volume\",\"Driver\":\"local\",\"Name\":\"" + name
                + "\",\"Source\":\"/var/lib/docker/volumes/x/_data\"}";
    }

    @Test
    void bindMountsOfRunningContainers_areToldAtEachChange() {
        mounts.onInspected("a", container(true, bind("/host/a"), "{\"Type\":\"tmpfs\"}"));
        mounts.onInspected("b", container(true, bind("/host/a"), bind("/host/b")));
        mounts.onInspected("c", container(false, bind("/host/c")));
        mounts.onEnded("a");
        mounts.onEnded("b");

        assertThat(told).containsExactly(Set.of("/host/a"), Set.of("/host/a", "/host/b"), Set.of());
    }

    @Test
    void volumesInDisguise_areAskedForOnce() {
        mounts.onInspected("a", container(true, volume("disguised"), volume("plain")));
        mounts.onInspected("b", container(true, volume("disguised")));
        mounts.onEnded("a");
        assertThat(told).containsExactly(Set.of("/host/v"));
        assertThat(asked).containsExactlyInAnyOrder("/volumes/disguised", "/volumes/plain");

        mounts.onEnded("b");
        mounts.onInspected("b", container(true, volume("disguised"))); // it may be another one by now
        assertThat(asked).hasSize(3);
        assertThat(told).hasSize(3);
    }

    @Test
    void containersThatAreNotListed_haveEnded() {
        mounts.onInspected("a", container(true, bind("/host/a")));
        mounts.onInspected("b", container(true, bind("/host/b")));
        mounts.onList(json("[{\"Id\":\"b\"}]"));
        mounts.end();

        assertThat(told.subList(2, 4)).containsExactly(Set.of("/host/b"), Set.of());
    }
}
