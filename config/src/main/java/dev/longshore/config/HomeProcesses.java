package dev.longshore.config;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Guests of a home that outlived their daemon: they hold the data disk, and nothing serves them. Linux only. */
public final class HomeProcesses {
    private static final Path PROC = Path.of("/proc");

    private HomeProcesses() {}

    /** All processes whose arguments name the home's network socket; empty where there is no {@code /proc}. */
    public static List<ProcessHandle> guests(Home home) {
        String mark = home.netSocket().toString();
        List<ProcessHandle> found = new ArrayList<>();
        try (DirectoryStream<Path> processes = Files.newDirectoryStream(PROC, "[0-9]*")) {
            for (Path process : processes) {
                Optional<ProcessHandle> handle = names(process, mark)
                        ? ProcessHandle.of(Long.parseLong(process.getFileName().toString()))
                        : Optional.empty();
                handle.ifPresent(found::add);
            }
        } catch (IOException e) {
            return List.of();
        }
        return found;
    }

    /** True while the process can still do something: not for a zombie, whose parent may never collect it. */
    public static boolean runs(long pid) {
        if (!Files.isDirectory(PROC)) {
            return ProcessHandle.of(pid).map(ProcessHandle::isAlive).orElse(false);
        }
        try {
            // proc(5): "pid (comm) state …", and comm may have blanks and brackets in it
            String stat = Files.readString(PROC.resolve(pid + "/stat"));
            char state = stat.charAt(stat.lastIndexOf(')') + 2);
            return state != 'Z' && state != 'X';
        } catch (IOException e) {
            return false;
        }
    }

    private static boolean names(Path process, String mark) {
        try {
            return new String(Files.readAllBytes(process.resolve("cmdline")), StandardCharsets.UTF_8).contains(mark);
        } catch (IOException e) {
            return false; // it has just ended, or belongs to somebody else
        }
    }
}
