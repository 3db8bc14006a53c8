package dev.longshore.vpnkit.flow;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;

class FlowTableTest {
    private final FlowTable<String> table = new FlowTable<>(42);

    @Test
    void everyPartOfTheKeyCounts() {
        table.put(1, 2, 3, 4, 5, 6, "v");
        assertThat(table.get(1, 2, 3, 4, 5, 6)).isEqualTo("v");
        assertThat(table.get(0, 2, 3, 4, 5, 6)).isNull();
        assertThat(table.get(1, 0, 3, 4, 5, 6)).isNull();
        assertThat(table.get(1, 2, 0, 4, 5, 6)).isNull();
        assertThat(table.get(1, 2, 3, 0, 5, 6)).isNull();
        assertThat(table.get(1, 2, 3, 4, 0, 6)).isNull();
        assertThat(table.get(1, 2, 3, 4, 5, 0)).isNull();
        assertThat(table.get(1, 2, 6, 4, 5, 3)).isNull();
    }

    @Test
    void put_replaces() {
        table.put(1, 2, 3, 4, 5, 6, "a");
        table.put(1, 2, 3, 4, 5, 6, "b");
        assertThat(table.size()).isEqualTo(1);
        assertThat(table.remove(1, 2, 3, 4, 5, 6)).isEqualTo("b");
        assertThat(table.remove(1, 2, 3, 4, 5, 6)).isNull();
        assertThat(table.size()).isZero();
    }

    @Test
    void againstAModel() {
        Random random = new Random(3);
        Map<Integer, String> model = new HashMap<>();
        for (int step = 0; step < 100_000; step++) {
            int key = random.nextInt(2000);
            long hi = key % 3;
            int port = key / 3;
            switch (random.nextInt(3)) {
                case 0 -> {
                    table.put(hi, 7, port, 8, 9, 80, "v" + key);
                    model.put(key, "v" + key);
                }
                case 1 -> assertThat(table.remove(hi, 7, port, 8, 9, 80)).isEqualTo(model.remove(key));
                default -> assertThat(table.get(hi, 7, port, 8, 9, 80)).isEqualTo(model.get(key));
            }
            assertThat(table.size()).isEqualTo(model.size());
        }
        Set<String> seen = new HashSet<>();
        table.forEach(seen::add);
        assertThat(seen).isEqualTo(new HashSet<>(model.values()));
        table.clear();
        assertThat(table.size()).isZero();
    }
}
