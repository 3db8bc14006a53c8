package dev.longshore.bench;

import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** The file server on {@code /dev/fuse} beside the folder itself. */
@Command(
        name = "files",
        mixinStandardHelpOptions = true,
        description = "The file server, with this machine's kernel as its guest, beside the folder itself.",
        footer = {"", "Runs as root and mounts in a namespace of its own. Needs perl, and 2 GB in --dir."})
final class FilesBench implements Callable<Integer> {
    private static final int LIMIT_SECONDS = 600;

    @Option(names = "--rounds", defaultValue = "3", description = "Samples of each (default ${DEFAULT-VALUE}).")
    private int rounds;

    @Option(names = "--dir", defaultValue = "/var/tmp", description = "Where the files are (default ${DEFAULT-VALUE}).")
    private Path place = Path.of("/var/tmp");

    @Option(names = "--threads", defaultValue = "2", description = "Of the server (default ${DEFAULT-VALUE}).")
    private int threads;

    private final PrintStream out;

    FilesBench(PrintStream out) {
        this.out = out;
    }

    /** In the order in which they are made; the tree has 1,000 directories with 100 files of 1 KiB. {@code $?} of each is checked. */
    private static Map<String, String> timed() {
        Map<String, String> all = new LinkedHashMap<>();
        all.put(
                "create 100k",
                "perl -e 'for $d (0..999) { mkdir \"t/$d\" or die; for (0..99) { open F, \">t/$d/$_\" or die; "
                        + "syswrite F, \"x\" x 1024; close F } }'");
        all.put("find 100k", "find t | wc -l | grep -qx 101001");
        all.put("find + stat 100k", "find t -size -1000000k | wc -l | grep -qx 101001");
        all.put(
                "read 100k",
                "perl -e 'for $d (0..999) { for (0..99) { open F, \"t/$d/$_\" or die; "
                        + "sysread(F, $b, 4096) == 1024 or die; close F } }'");
        all.put("rm -rf 100k", "rm -rf t");
        all.put("write 1 GiB", "dd if=/dev/zero of=big bs=1M count=1024 status=none");
        all.put("read 1 GiB", "dd if=big of=/dev/null bs=1M status=none");
        return all;
    }

    @Override
    public Integer call() throws IOException {
        MedianTable table = new MedianTable(out);
        Path lab = Files.createTempDirectory(place, "longshore-bench-files").toRealPath();
        Process server = null;
        try {
            Path folder = Files.createDirectory(lab.resolve("share"));
            Path target = Files.createDirectory(lab.resolve("mnt"));
            Path mounted = target.resolve(Path.of("/").relativize(folder));
            server = start(lab, folder, target);
            String mounts = "/proc/" + server.pid() + "/ns/mnt";
            Waiting.until(10_000, "mount", () -> isThere(mounts, mounted));
            for (int i = 0; i <= rounds; i++) { // the first warms up
                measure(i == 0 ? null : table, "native", folder, null);
                measure(i == 0 ? null : table, "/dev/fuse", mounted, mounts);
            }
            table.print();
        } finally {
            if (server != null) {
                Commands.end(server);
            }
            Commands.run(LIMIT_SECONDS, "rm", "-rf", lab.toString());
        }
        return 0;
    }

    private Process start(Path lab, Path folder, Path target) {
        List<String> command = new ArrayList<>(List.of("unshare", "-m"));
        ProcessHandle.current().info().command().ifPresent(command::add);
        command.addAll(List.of(
                "-Xmx512m",
                "--enable-native-access=ALL-UNNAMED",
                "-cp",
                System.getProperty("java.class.path", ""),
                ShareFolder.class.getName(),
                folder.toString(),
                target.toString(),
                lab.resolve("state").toString(),
                "-threads",
                Integer.toString(threads)));
        return Commands.start(lab.resolve("log"), command);
    }

    private static boolean isThere(String mounts, Path mounted) {
        try {
            Commands.run(10, "nsenter", "--mount=" + mounts, "test", "-d", mounted.toString());
            return true;
        } catch (BenchException e) {
            return false;
        }
    }

    private static void measure(@Nullable MedianTable table, String contender, Path folder, @Nullable String mounts) {
        run(mounts, "mkdir " + folder + "/t");
        timed().forEach((name, script) -> {
            long begin = System.nanoTime();
            run(mounts, "cd " + folder + " && " + script);
            if (table != null) {
                table.add(name, "ms", contender, (System.nanoTime() - begin) / 1e6);
            }
        });
        long reads = 50_000;
        // Past the guest's cache, from the host's: each is a request. O_DIRECT of this folder itself would ask the
        // disk.
        String random = "perl -MFcntl -e 'sysopen F, \"big\", O_RDONLY" + (mounts == null ? "" : " | O_DIRECT")
                + " or die; for (1.." + reads
                + ") { sysseek F, 4096 * int(rand 262144), 0; sysread(F, $b, 4096) == 4096 or die }'";
        long begin = System.nanoTime();
        run(mounts, "cd " + folder + " && " + random);
        if (table != null) {
            table.add("read 4 KiB at random", "1/s", contender, reads * 1e9 / (System.nanoTime() - begin));
        }
        run(mounts, "rm " + folder + "/big");
    }

    private static void run(@Nullable String mounts, String script) {
        List<String> command = new ArrayList<>();
        if (mounts != null) {
            command.addAll(List.of("nsenter", "--mount=" + mounts));
        }
        command.addAll(List.of("sh", "-ec", script));
        Commands.run(LIMIT_SECONDS, command);
    }
}
