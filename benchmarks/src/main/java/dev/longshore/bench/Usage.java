package dev.longshore.bench;

import java.nio.file.Path;

/** What a process has used, from /proc. Immutable. {@code cpuSeconds} of user and system time, {@code residentBytes} now. */
record Usage(double cpuSeconds, long residentBytes) {
    private static final double TICKS_PER_SECOND = 100; // USER_HZ of all Linux architectures in use
    private static final int UTIME = 11; // fields behind the command's closing parenthesis: proc(5), /proc/pid/stat
    private static final int STIME = 12;

    static Usage of(long pid) {
        String stat = Commands.read(Path.of("/proc/" + pid + "/stat"));
        if (stat.isEmpty()) {
            return new Usage(0, 0);
        }
        String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ", -1);
        double cpu = (Long.parseLong(fields[UTIME]) + Long.parseLong(fields[STIME])) / TICKS_PER_SECOND;
        long resident = Commands.read(Path.of("/proc/" + pid + "/status"))
                .lines()
                .filter(line -> line.startsWith("VmRSS:"))
                .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")) * 1024)
                .findFirst()
                .orElse(0);
        return new Usage(cpu, resident);
    }
}
