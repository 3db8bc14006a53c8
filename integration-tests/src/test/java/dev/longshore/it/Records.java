package dev.longshore.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;

/**
 * Processes in a container that write records to a mounted folder and say which of them are safe: {@code peer records}. Whatever happens
 * to the daemon and to the guest, what was said is in the host's files.
 */
final class Records {
    private static final int EVERY = 20;

    private Records() {}

    /** The last record of each process that it said was safe. A line that was cut off says nothing. */
    static Map<Integer, Integer> safe(String said) {
        List<String> lines =
                said.substring(0, said.lastIndexOf('\n') + 1).lines().toList();
        return lines.stream()
                .map(l -> l.split(" ", 2))
                .collect(Collectors.toMap(
                        w -> Integer.valueOf(w[0]), w -> Integer.valueOf(w[1]), Math::max, TreeMap::new));
    }

    /** Everything that {@code safe} names is in {@code directory}, whole and once. Returns how many records that are. */
    static int check(Path directory, Map<Integer, Integer> safe) {
        safe.forEach((process, last) -> check(directory, process, last));
        return safe.values().stream().mapToInt(last -> last + 1).sum();
    }

    private static void check(Path directory, int process, int last) {
        byte[] log = read(directory.resolve(String.valueOf(process)));
        int at = 0;
        for (int n = 0; n <= last; n++) {
            byte[] expected = record(process, n);
            assertThat(log.length - at)
                    .as("bytes from record %d of process %d on, which was said to be safe up to %d", n, process, last)
                    .isGreaterThanOrEqualTo(expected.length);
            assertThat(Arrays.mismatch(log, at, at + expected.length, expected, 0, expected.length))
                    .as("record %d of process %d, at %d: where it differs", n, process, at)
                    .isEqualTo(-1);
            at += expected.length;
            if (n % EVERY == EVERY - 1) {
                assertThat(read(directory.resolve(process + "-" + n)))
                        .as("the file of record %d of process %d", n, process)
                        .isEqualTo(expected);
            }
        }
    }

    /** As {@code record} in peer.c. */
    private static byte[] record(int process, int n) {
        int length = n % 10 == 9 ? 4000 * (n / 10 % 10 + 1) : n * 37 % 200;
        StringBuilder text = new StringBuilder().append(process).append(' ').append(n);
        text.append(' ').append(length).append('\n');
        for (int i = 0; i < length; i++) {
            text.append((char) ('a' + (n + i) % 26));
        }
        return text.append('\n').toString().getBytes(StandardCharsets.US_ASCII);
    }

    private static byte[] read(Path file) {
        try {
            return Files.readAllBytes(file);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
