package dev.longshore.bench;

import java.nio.file.Path;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * What a process has used, from /proc. Immutable.
 *
 * @param cpuSeconds of user and system time
 * @param residentBytes now, without what it shares with others by memory files: that is a virtual machine's memory
 */
record Usage(double cpuSeconds, long residentBytes) {
    private static final double TICKS_PER_SECOND = 100; // USER_HZ of all Linux architectures in use
    private static final int UTIME = 11; // fields behind the command's closing parenthesis: proc(5), /proc/pid/stat
    private static final int STIME = 12;
    private static final int UTIME_ENDED = 13; // of children that were waited for
    private static final int STIME_ENDED = 14;

    static Usage of(long pid) {
        double cpu = ticks(pid, UTIME, STIME) / TICKS_PER_SECOND;
        String status = Commands.read(Path.of("/proc/" + pid + "/status"));
        return new Usage(cpu, bytes(status, "VmRSS:") - bytes(status, "RssShmem:"));
    }

    /** User and system time of a process and all it has started, ended or not. */
    static double treeSeconds(long pid) {
        return Stream.concat(
                                Stream.of(pid),
                                ProcessHandle.of(pid).stream()
                                        .flatMap(ProcessHandle::descendants)
                                        .map(ProcessHandle::pid))
                        .mapToLong(p -> ticks(p, UTIME, STIME, UTIME_ENDED, STIME_ENDED))
                        .sum()
                / TICKS_PER_SECOND;
    }

    private static long ticks(long pid, int... fields) {
        String stat = Commands.read(Path.of("/proc/" + pid + "/stat"));
        if (stat.isEmpty()) {
            return 0;
        }
        String[] all = stat.substring(stat.lastIndexOf(')') + 2).split(" ", -1);
        return IntStream.of(fields).mapToLong(f -> Long.parseLong(all[f])).sum();
    }

    private static long bytes(String status, String field) {
        return status.lines()
                .filter(line -> line.startsWith(field))
                .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")) * 1024)
                .findFirst()
                .orElse(0);
    }
}
