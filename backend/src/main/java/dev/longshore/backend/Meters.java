package dev.longshore.backend;

import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.Tags;
import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import java.util.ArrayList;
import java.util.List;
import java.util.function.DoubleSupplier;

/** All meters of the daemon, in one registry. Thread-safe: as the registry is. */
final class Meters {
    private final PrometheusMeterRegistry registry = new PrometheusMeterRegistry(PrometheusConfig.DEFAULT);

    Meters() {
        gauge("longshore.process.resident.bytes", "Resident memory of the daemon", Tags.empty(), Resident::bytes);
        gauge("longshore.process.heap.used.bytes", "Java heap in use", Tags.empty(), Meters::heapUsed);
    }

    private static double heapUsed() {
        Runtime runtime = Runtime.getRuntime();
        return runtime.totalMemory() - runtime.freeMemory();
    }

    void gauge(String name, String help, Tags tags, DoubleSupplier value) {
        Gauge.builder(name, value::getAsDouble).description(help).tags(tags).register(registry);
    }

    /** Prometheus text format. */
    String scrape() {
        return registry.scrape();
    }

    /** Meters of one run of the guest: they go away with it. Confined to the lifecycle thread. */
    final class Group {
        private final List<io.micrometer.core.instrument.Meter> meters = new ArrayList<>();

        void counter(String name, String help, Tags tags, DoubleSupplier value) {
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
            meters.forEach(registry::remove);
            meters.clear();
        }
    }
}
