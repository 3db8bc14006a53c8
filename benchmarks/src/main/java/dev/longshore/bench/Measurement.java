package dev.longshore.bench;

import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * One way to look at a contender. Immutable.
 *
 * @param name for tables
 * @param unit of the value
 * @param moreIsBetter false for times and memory
 */
record Measurement(String name, String unit, boolean moreIsBetter, Probe probe) {
    private static final JsonMapper JSON = JsonMapper.shared();
    private static final int IDLE_FLOWS = 10_000;
    private static final Pattern SPACE = Pattern.compile(" ");

    /** What one look gave: the value, and the processor seconds of stack and guest for each gigabyte where that makes sense. */
    record Sample(
            double value,
            @Nullable Double cpuSecondsPerGigabyte,
            @Nullable Double guestSecondsPerGigabyte) {
        static Sample of(double value) {
            return new Sample(value, null, null);
        }
    }

    /** Takes one sample, of about {@code seconds}; null where the contender does not have it. */
    interface Probe {
        @Nullable
        Sample sample(Guest guest, int seconds);
    }

    static List<Measurement> all() {
        List<Measurement> all = new ArrayList<>();
        all.add(tcp("TCP up", ""));
        all.add(tcp("TCP down", "-R"));
        all.add(tcp("TCP up, 8 streams", "-P 8"));
        all.add(tcp("TCP down, 8 streams", "-P 8 -R"));
        all.add(new Measurement("UDP up", "Gbit/s", true, (guest, seconds) -> udp(guest, seconds, "")));
        all.add(new Measurement("UDP down", "Gbit/s", true, (guest, seconds) -> udp(guest, seconds, " -R")));
        all.add(new Measurement("request/response p50", "us", false, (g, s) -> Sample.of(netload(g, "rr", s, "p50"))));
        all.add(new Measurement("request/response p99", "us", false, (g, s) -> Sample.of(netload(g, "rr", s, "p99"))));
        all.add(new Measurement(
                "connect/request/response", "1/s", true, (g, s) -> Sample.of(netload(g, "crr", s, "rate"))));
        all.add(new Measurement("resident, 1 flow", "MB", false, (guest, seconds) -> {
            Long stack = guest.stack();
            return stack == null ? null : Sample.of(Usage.of(stack).residentBytes() / 1e6);
        }));
        all.add(new Measurement("memory per idle flow", "kB", false, (guest, seconds) -> idle(guest)));
        return all;
    }

    /** One of each kind of work. */
    static List<Measurement> warmUps() {
        return all().stream()
                .filter(m -> List.of("TCP up", "TCP down", "connect/request/response")
                        .contains(m.name()))
                .toList();
    }

    /** {@code options} of iperf3; down is from the host to the guest. */
    private static Measurement tcp(String name, String options) {
        return new Measurement(name, "Gbit/s", true, (guest, seconds) -> {
            Usage before = usage(guest);
            double guestBefore = guestSeconds(guest);
            JsonNode result = iperf(guest, seconds, options);
            double guestCpu = guestSeconds(guest) - guestBefore;
            double cpu = usage(guest).cpuSeconds() - before.cpuSeconds();
            JsonNode sum = result.at("/end/sum_received");
            double gigabytes = sum.at("/bytes").asDouble() / 1e9;
            return new Sample(
                    sum.at("/bits_per_second").asDouble() / 1e9,
                    guest.stack() == null || gigabytes == 0 ? null : cpu / gigabytes,
                    guest.machine() == null || gigabytes == 0 ? null : guestCpu / gigabytes);
        });
    }

    /** As fast as the sender can: what arrives. */
    private static Sample udp(Guest guest, int seconds, String options) {
        JsonNode sum = iperf(guest, seconds, "-u -b 0 -l 1448" + options).at("/end/sum");
        double lost = sum.at("/lost_percent").asDouble() / 100;
        return Sample.of(sum.at("/bits_per_second").asDouble() / 1e9 * (1 - lost));
    }

    private static Usage usage(Guest guest) {
        Long stack = guest.stack();
        return stack == null ? new Usage(0, 0) : Usage.of(stack);
    }

    private static double guestSeconds(Guest guest) {
        Long machine = guest.machine();
        return machine == null ? 0 : Usage.treeSeconds(machine);
    }

    private static JsonNode iperf(Guest guest, int seconds, String options) {
        List<String> command = new ArrayList<>(List.of(
                "iperf3", "-J", "-c", guest.target(), "-p", Integer.toString(Lab.IPERF_PORT), "-t", "" + seconds));
        Stream.of(SPACE.split(options, -1)).filter(o -> !o.isEmpty()).forEach(command::add);
        String text = guest.run(seconds + 20, command);
        return JSON.readTree(text.substring(text.indexOf('{')));
    }

    private static double netload(Guest guest, String kind, int seconds, String field) {
        String text = guest.run(
                seconds + 20,
                List.of(
                        guest.netload(),
                        kind,
                        guest.target(),
                        Integer.toString(Lab.ECHO_PORT),
                        Integer.toString(seconds * 1000)));
        return JSON.readTree(text.substring(text.indexOf('{'))).at("/" + field).asDouble();
    }

    /** How much {@value #IDLE_FLOWS} open connections add to its memory, for each. */
    private static @Nullable Sample idle(Guest guest) {
        Long stack = guest.stack();
        if (stack == null) {
            return null;
        }
        long before = Usage.of(stack).residentBytes();
        Process holder = guest.hold(
                List.of(guest.netload(), "idle", guest.target(), Integer.toString(Lab.ECHO_PORT), "" + IDLE_FLOWS));
        if (holder == null) {
            return null;
        }
        try {
            String line = holder.inputReader().readLine();
            int opened = line == null ? 0 : JSON.readTree(line).at("/opened").asInt();
            Waiting.pause(1000); // what opening needed is collected
            long after = Usage.of(stack).residentBytes();
            if (opened < IDLE_FLOWS) {
                throw new BenchException("only " + opened + " of " + IDLE_FLOWS + " connections");
            }
            return Sample.of((after - before) / 1e3 / opened);
        } catch (java.io.IOException e) {
            throw new BenchException(e.toString());
        } finally {
            Commands.end(holder);
        }
    }
}
