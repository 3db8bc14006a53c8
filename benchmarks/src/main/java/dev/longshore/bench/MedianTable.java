package dev.longshore.bench;

import java.io.PrintStream;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** Samples of contenders, printed as they come and as a table of medians at the end. Confined to one thread. */
final class MedianTable {
    private final PrintStream out;
    private final Map<String, Map<String, List<Double>>> samples = new LinkedHashMap<>();

    MedianTable(PrintStream out) {
        this.out = out;
    }

    void add(String measurement, String unit, String contender, double value) {
        samples.computeIfAbsent("| " + measurement + " | " + unit + " |", key -> new LinkedHashMap<>())
                .computeIfAbsent(contender, key -> new ArrayList<>())
                .add(value);
        out.printf(Locale.ROOT, "%-28s %-10s %10.1f %s%n", measurement, contender, value, unit);
    }

    /** As Markdown, and begins a new table. */
    void print() {
        List<String> names = samples.values().stream()
                .flatMap(row -> row.keySet().stream())
                .distinct()
                .toList();
        out.println();
        out.println("| | unit | " + String.join(" | ", names) + " |");
        out.println("|---|---|" + "---|".repeat(names.size()));
        samples.forEach((row, byName) -> {
            StringBuilder line = new StringBuilder(row);
            for (String name : names) {
                List<Double> values = byName.getOrDefault(name, List.of());
                line.append(values.isEmpty() ? " |" : String.format(Locale.ROOT, " %.1f |", median(values)));
            }
            out.println(line);
        });
        out.println();
        samples.clear();
    }

    private static double median(List<Double> values) {
        return values.stream().sorted().skip(values.size() / 2).findFirst().orElseThrow();
    }
}
