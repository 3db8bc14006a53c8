package dev.longshore.bench;

import dev.longshore.config.Home;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** The file server on {@code /dev/fuse} and in a guest, beside the folder itself, libfuse's example and virtiofsd. */
@Command(
        name = "files",
        mixinStandardHelpOptions = true,
        description = {
            "The file server beside the folder itself: with this machine's kernel as its guest, as is",
            "libfuse's example in C, if it is named,",
            "and behind virtio-fs in a guest, as is virtiofsd in one of QEMU, if it is installed."
        },
        footer = {"", "Runs as root and mounts in a namespace of its own. Needs gcc, and 2 GB in --dir."})
final class FilesBench implements Callable<Integer> {
    private static final double NO_RATE = 0;

    @Option(names = "--rounds", defaultValue = "3", description = "Samples of each (default ${DEFAULT-VALUE}).")
    private int rounds;

    @Option(names = "--dir", defaultValue = "/var/tmp", description = "Where the files are (default ${DEFAULT-VALUE}).")
    private Path place = Path.of("/var/tmp");

    @Option(
            names = "--threads",
            defaultValue = "2",
            description = "Of the server on /dev/fuse (default ${DEFAULT-VALUE}).")
    private int threads;

    @Option(names = "--mib", defaultValue = "1024", description = "Of the big file (default ${DEFAULT-VALUE}).")
    private int mib;

    @Option(
            names = "--directories",
            defaultValue = "1000",
            description = "In the tree, with 100 files each (default ${DEFAULT-VALUE}).")
    private int directories;

    @Option(
            names = "--guest",
            defaultValue = "UML",
            description =
                    "${COMPLETION-CANDIDATES}: which virtual machine (default ${DEFAULT-VALUE}). QEMU emulates its processor.")
    private FileContender.InGuest.Kind guest = FileContender.InGuest.Kind.UML;

    @Option(
            names = "--only",
            split = ",",
            description = "These contenders: native, /dev/fuse, virtio-fs, virtiofsd; and libfuse, which is not"
                    + " among them by itself: it keeps a descriptor of each file.")
    private List<String> only = List.of();

    @Option(
            names = "--peers",
            description = "A Debian root directory with virtiofsd and libfuse3-dev; else they are looked for here.")
    private @Nullable Path peers;

    private final PrintStream out;

    FilesBench(PrintStream out) {
        this.out = out;
    }

    /** What is measured, in this order, and how many operations make up a rate; 0 where the time itself is told. */
    private static Map<String, Double> kinds() {
        Map<String, Double> all = new LinkedHashMap<>();
        for (String kind : List.of("create", "find", "stat", "read", "remove", "write", "stream")) {
            all.put(kind, NO_RATE);
        }
        all.put("random", 20_000.0);
        all.put("sync", 500.0);
        return all;
    }

    private String title(String kind) {
        return switch (kind) {
            case "create" -> "create " + directories / 10.0 + "k";
            case "find" -> "find " + directories / 10.0 + "k";
            case "stat" -> "find + stat " + directories / 10.0 + "k";
            case "read" -> "read " + directories / 10.0 + "k";
            case "remove" -> "rm -rf " + directories / 10.0 + "k";
            case "write" -> "write " + mib + " MiB";
            case "stream" -> "read " + mib + " MiB";
            case "random" -> "read 4 KiB at random";
            default -> "write 4 KiB and sync";
        };
    }

    @Override
    public Integer call() throws IOException {
        MedianTable table = new MedianTable(out);
        Path lab = Files.createTempDirectory(place, "longshore-bench-files").toRealPath();
        List<FileContender> contenders = new ArrayList<>();
        try {
            Path folder = Files.createDirectory(lab.resolve("share"));
            start(contenders, lab, folder);
            for (int i = 0; i <= rounds; i++) { // the first warms up
                for (FileContender contender : contenders) {
                    measure(i == 0 ? null : table, contender);
                    Files.delete(folder.resolve("big"));
                }
            }
            table.print();
        } finally {
            contenders.forEach(FileContender::close);
            String _ = Commands.run(FileContender.LIMIT_SECONDS, "rm", "-rf", lab.toString());
        }
        return 0;
    }

    private boolean wanted(String name) {
        return only.isEmpty() || only.contains(name);
    }

    private void start(List<FileContender> contenders, Path lab, Path folder) throws IOException {
        Path fileload = Commands.compile("fileload", lab);
        Peers installed = new Peers(Optional.ofNullable(peers));
        if (wanted("native")) {
            contenders.add(new FileContender.Native(fileload, folder));
        }
        if (wanted("/dev/fuse")) {
            contenders.add(FileContender.DevFuse.longshore(lab, fileload, folder, threads));
        }
        if (only.contains("libfuse")) {
            FileContender.DevFuse.libfuse(lab, fileload, folder, installed)
                    .ifPresentOrElse(contenders::add, () -> out.println("libfuse's example is not installed"));
        }
        if (!wanted("virtio-fs") && !wanted("virtiofsd")) {
            return;
        }
        Path cache = Home.locate(System.getenv(), Path.of("/")).cache();
        boolean uml = guest == FileContender.InGuest.Kind.UML;
        if (!uml && Commands.find(Machine.QEMU).isEmpty()) {
            throw new BenchException(Machine.QEMU + " is not installed: apt-get install qemu-system-x86");
        }
        UmlKernel kernel =
                uml ? UmlKernel.choose(new Peers(Optional.empty()), cache, lab) : UmlKernel.forQemu(cache, lab);
        out.println(kernel.description());
        if (wanted("virtio-fs")) {
            contenders.add(FileContender.InGuest.longshore(guest, lab, fileload, kernel, folder));
        }
        if (wanted("virtiofsd") && !uml) {
            FileContender.InGuest.virtiofsd(guest, lab, fileload, kernel, folder, installed)
                    .ifPresentOrElse(contenders::add, () -> out.println("virtiofsd is not installed"));
        }
    }

    private void measure(@Nullable MedianTable table, FileContender contender) {
        kinds().forEach((kind, operations) -> {
            String asked = kind.equals("random") ? contender.uncached() : kind;
            double micros =
                    Long.parseLong(contender.load(asked, mib, directories).strip());
            if (table != null && operations > 0) {
                table.add(title(kind), "1/s", contender.name(), operations * 1e6 / micros);
            } else if (table != null) {
                table.add(title(kind), "ms", contender.name(), micros / 1e3);
            }
        });
    }
}
