package dev.longshore.bench;

import java.io.PrintStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/** All samples, and what is said of them: medians, and ratios to each contender. One thread. */
final class Results {
    private final List<String> contenders;
    private final Map<Measurement, Map<String, List<Measurement.Sample>>> samples = new LinkedHashMap<>();
    private final Map<Measurement, Map<String, Integer>> failures = new LinkedHashMap<>();

    Results(List<String> contenders) {
        this.contenders = contenders;
    }

    void add(Measurement m, String contender, Measurement.Sample sample) {
        samples.computeIfAbsent(m, key -> new LinkedHashMap<>())
                .computeIfAbsent(contender, key -> new ArrayList<>())
                .add(sample);
    }

    void failed(Measurement m, String contender) {
        samples.computeIfAbsent(m, key -> new LinkedHashMap<>());
        failures.computeIfAbsent(m, key -> new LinkedHashMap<>()).merge(contender, 1, Integer::sum);
    }

    private @Nullable Double median(Measurement m, String contender) {
        return median(m, contender, Measurement.Sample::value);
    }

    private @Nullable Double median(
            Measurement m, String contender, Function<Measurement.Sample, @Nullable Double> part) {
        List<Measurement.Sample> all =
                samples.get(m) == null ? null : samples.get(m).get(contender);
        if (all == null) {
            return null;
        }
        double[] sorted = all.stream()
                .map(part)
                .filter(Objects::nonNull)
                .mapToDouble(v -> v)
                .sorted()
                .toArray();
        return sorted.length == 0 ? null : sorted[sorted.length / 2];
    }

    /** A Markdown table: medians, with the processor seconds of the stack and of a virtual machine for each gigabyte. */
    void print(PrintStream out) {
        out.println("| | unit | " + String.join(" | ", contenders) + " |");
        out.println("|---|---|" + "---|".repeat(contenders.size()));
        for (Measurement m : samples.keySet()) {
            StringBuilder line = new StringBuilder("| " + m.name() + " | " + m.unit() + " |");
            for (String c : contenders) {
                line.append(' ').append(cell(m, c)).append(" |");
            }
            out.println(line);
        }
    }

    private String cell(Measurement m, String contender) {
        Double value = median(m, contender);
        if (value == null) {
            return failures.getOrDefault(m, Map.of()).containsKey(contender) ? "failed" : "";
        }
        Double cpu = median(m, contender, Measurement.Sample::cpuSecondsPerGigabyte);
        Double guest = median(m, contender, Measurement.Sample::guestSecondsPerGigabyte);
        String text = String.format(Locale.ROOT, value < 100 ? "%.2f" : "%.0f", value);
        if (cpu == null) {
            return text;
        }
        if (guest == null) {
            return text + String.format(Locale.ROOT, " (%.2f)", cpu);
        }
        return text + String.format(Locale.ROOT, " (%.2f + %.2f)", cpu, guest);
    }

    /** Each sample, for programs. */
    void write(Path file) {
        JsonMapper json = JsonMapper.shared();
        ObjectNode root = json.createObjectNode();
        samples.forEach((m, byContender) -> {
            ObjectNode node = root.putObject(m.name());
            node.put("unit", m.unit());
            node.put("moreIsBetter", m.moreIsBetter());
            byContender.forEach((contender, all) -> {
                ObjectNode one = node.putObject(contender);
                var values = one.putArray("samples");
                all.forEach(s -> values.add(s.value()));
                Double median = median(m, contender);
                if (median != null) {
                    one.put("median", median);
                }
                Double guest = median(m, contender, Measurement.Sample::guestSecondsPerGigabyte);
                if (guest != null) {
                    one.put("guestSecondsPerGigabyte", guest);
                }
                Double cpu = median(m, contender, Measurement.Sample::cpuSecondsPerGigabyte);
                if (cpu != null) {
                    one.put("cpuSecondsPerGigabyte", cpu);
                }
            });
        });
        json.writerWithDefaultPrettyPrinter().writeValue(file, root);
    }
}
