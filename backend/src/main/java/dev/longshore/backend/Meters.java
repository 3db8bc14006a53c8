package dev.longshore.backend;

import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.Meter;
import io.micrometer.core.instrument.Tags;
import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.DoubleSupplier;

/** All meters of the daemon, in one registry. Thread-safe: as the registry is. */
final class Meters {
    private final PrometheusMeterRegistry registry = new PrometheusMeterRegistry(PrometheusConfig.DEFAULT);
    private final List<Group> groups = new CopyOnWriteArrayList<>();

    Meters() {
        Group own = group(() -> {});
        own.gauge(
                "longshore.process.resident.bytes",
                "Memory of the daemon in RAM, the touched part of the guest's included.",
                Tags.empty(),
                Resident::bytes);
        own.gauge("longshore.process.heap.used.bytes", "Java heap in use.", Tags.empty(), Meters::heapUsed);
    }

    private static double heapUsed() {
        Runtime runtime = Runtime.getRuntime();
        return runtime.totalMemory() - runtime.freeMemory();
    }

    /**
     * A new group, without meters.
     *
     * @param beforeScrape brings what the meters read up to date; on the control server's thread
     */
    Group group(Runnable beforeScrape) {
        Group group = new Group(beforeScrape);
        groups.add(group);
        return group;
    }

    /** Prometheus text format. */
    String scrape() {
        groups.forEach(g -> g.beforeScrape.run());
        return registry.scrape();
    }

    /** Meters that come and go together. Confined to the thread that makes it. */
    final class Group {
        private final Runnable beforeScrape;
        private final List<Meter> meters = new ArrayList<>();

        /** Micrometer's function counters hold what they count by a weak reference only. */
        private final List<DoubleSupplier> counted = new ArrayList<>();

        private Group(Runnable beforeScrape) {
            this.beforeScrape = beforeScrape;
        }

        void counter(String name, String help, Tags tags, DoubleSupplier value) {
            counted.add(value);
            meters.add(FunctionCounter.builder(name, value, DoubleSupplier::getAsDouble)
                    .description(help)
                    .tags(tags)
                    .register(registry));
        }

        void gauge(String name, String help, Tags tags, DoubleSupplier value) {
            meters.add(Gauge.builder(name, value::getAsDouble)
                    .description(help)
                    .tags(tags)
                    .register(registry));
        }

        void close() {
            groups.remove(this);
            meters.forEach(registry::remove);
            meters.clear();
            counted.clear();
        }
    }
}
