package dev.longshore.vm.image;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.io.Writer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Finds the recipe's image in the cache, or builds it. Thread-safe: without mutable state; builders of any number of
 * processes exclude each other by a lock file.
 *
 * <p>Theory of operation. {@code images/HASH/} appears by a rename when it is complete, so whoever sees it may use it
 * without a lock. The build itself runs in a directory of {@code /var/tmp}: as an ordinary user, mmdebstrap works under
 * mapped user ids, to which a cache below the home directory is closed. What those ids write are plain files in a
 * directory of ours, which we may copy and delete.
 */
public final class ImageBuilder {
    private static final String SUITE = "trixie";
    private static final Logger LOG = LoggerFactory.getLogger(ImageBuilder.class);
    private static final Duration KEPT_UNUSED = Duration.ofDays(30);
    private static final int KEPT_LINES = 200;
    private static final long LOCK_POLL_MILLIS = 250;

    /** The programs a build needs, and the Debian packages they are in. */
    private static final Map<String, String> TOOLS = Map.of(
            "mmdebstrap", "mmdebstrap",
            "mke2fs", "e2fsprogs",
            "gcc", "gcc",
            "strip", "binutils",
            "setpriv", "util-linux",
            "unshare", "util-linux");

    private static final List<String> DPKG_EXCLUDES =
            List.of("/usr/share/man/*", "/usr/share/doc/*", "/usr/share/locale/*", "/usr/share/info/*");

    private final Path cache;
    private final Path scratch;
    private final ImageRecipe recipe;
    private final HostTools tools;
    private final Consumer<String> progress;

    /**
     * @param cache where images are kept, as in {@code Home.cache()}
     * @param progress is told each step, a few words for the user; one call at a time, on any thread
     */
    public ImageBuilder(Path cache, ImageRecipe recipe, HostTools tools, Consumer<String> progress) {
        this(cache, Path.of("/var/tmp"), recipe, tools, progress);
    }

    ImageBuilder(Path cache, Path scratch, ImageRecipe recipe, HostTools tools, Consumer<String> progress) {
        this.cache = cache;
        this.scratch = scratch;
        this.recipe = recipe;
        this.tools = tools;
        this.progress = progress;
    }

    /** The finished image, or null if it has to be built. */
    public @Nullable GuestImage find() {
        return GuestImage.open(directory());
    }

    /** The finished image, built first if need be: a minute or more. Blocks; an interrupt ends the build. */
    public GuestImage ensure() throws ImageException, InterruptedException {
        GuestImage image = find();
        if (image != null) {
            image.markUsed();
            return image;
        }
        try {
            Files.createDirectories(images());
            try (FileChannel channel = FileChannel.open(
                            images().resolve(recipe.hash() + ".lock"),
                            StandardOpenOption.CREATE,
                            StandardOpenOption.WRITE);
                    FileLock _ = lock(channel)) {
                image = find(); // whoever held the lock has built it
                return image != null ? image : build();
            }
        } catch (IOException e) {
            throw new ImageException("the guest image can't be written below " + cache + ": " + e.getMessage(), e);
        }
    }

    /** What the tools printed during the last build of this recipe. */
    public Path buildLog() {
        return images().resolve(recipe.hash() + ".log");
    }

    private Path images() {
        return cache.resolve("images");
    }

    private Path directory() {
        return images().resolve(recipe.hash());
    }

    private FileLock lock(FileChannel channel) throws IOException, InterruptedException {
        boolean told = false;
        while (true) {
            FileLock lock = tryLock(channel);
            if (lock != null) {
                return lock;
            }
            if (!told) {
                progress.accept("waiting for another build of the guest image");
                told = true;
            }
            Thread.sleep(LOCK_POLL_MILLIS);
        }
    }

    /** Null if another process, or another builder of this one, holds the lock. */
    private static @Nullable FileLock tryLock(FileChannel channel) throws IOException {
        try {
            return channel.tryLock();
        } catch (OverlappingFileLockException e) {
            return null;
        }
    }

    private GuestImage build() throws ImageException, IOException, InterruptedException {
        requireTools();
        Path work = Files.createTempDirectory(scratch, "longshore-image-");
        // Under mapped user ids, mmdebstrap and the hook are strangers to us: they read here and add files.
        Files.setPosixFilePermissions(work, PosixFilePermissions.fromString("rwxr-xr-x"));
        try (Writer log = Files.newBufferedWriter(buildLog())) {
            Path recipeDirectory = readable(work.resolve("recipe"));
            recipe.writeTo(recipeDirectory);
            compileAgent(recipeDirectory, log);
            Path out = Files.createDirectory(work.resolve("out"));
            Files.setPosixFilePermissions(out, PosixFilePermissions.fromString("rwxrwxrwx"));
            bootstrap(work, recipeDirectory, out, log);
            return install(out, log);
        } finally {
            deleteScratch(work);
        }
    }

    /** What can't be deleted stays: it must not hide how the build ended. */
    private static void deleteScratch(Path work) {
        try {
            deleteTree(work);
        } catch (IOException | UncheckedIOException e) {
            LOG.warn("{} can't be deleted: {}", work, e.toString());
        }
    }

    private void requireTools() throws ImageException {
        List<String> missing = TOOLS.keySet().stream()
                .filter(tool -> tools.find(tool) == null)
                .sorted()
                .toList();
        if (!missing.isEmpty()) {
            throw new ImageException("building the guest image needs " + String.join(", ", missing) + ": "
                    + HostTools.installCommand(
                            missing.stream().map(TOOLS::get).distinct().toList()));
        }
    }

    private void compileAgent(Path recipeDirectory, Writer log)
            throws ImageException, IOException, InterruptedException {
        progress.accept("compiling the guest's agent");
        List<String> command = new ArrayList<>(List.of(
                "gcc",
                "-std=c11",
                "-D_GNU_SOURCE",
                "-DAGENT_VERSION=\"" + recipe.hash() + "\"",
                "-Os",
                "-fstack-protector-strong",
                "-static",
                "-s",
                "-o",
                recipeDirectory.resolve("longshore-agent").toString()));
        for (String source : recipe.agentSources()) {
            command.add(recipeDirectory.resolve(source).toString());
        }
        Deque<String> output = new ArrayDeque<>();
        int code = tools.runLogged(command, Map.of(), log, line -> keep(output, line));
        if (code != 0) {
            throw failure("gcc", code, output);
        }
    }

    private void bootstrap(Path work, Path recipeDirectory, Path out, Writer log)
            throws ImageException, IOException, InterruptedException {
        // Ends with the daemon, should that be killed; on SIGTERM mmdebstrap cleans up behind itself.
        List<String> command = new ArrayList<>(List.of("setpriv", "--pdeathsig", "TERM", "--"));
        if (tools.isRoot()) {
            // As root it mounts /proc and the like in the host's file tree, but nobody else shall see that.
            command.addAll(List.of("unshare", "--mount", "--"));
        }
        command.addAll(List.of(
                "mmdebstrap",
                "--variant=essential",
                "--format=null",
                "--include=" + String.join(",", recipe.packages()),
                "--aptopt=Apt::Install-Recommends \"false\""));
        DPKG_EXCLUDES.forEach(path -> command.add("--dpkgopt=path-exclude=" + path));
        command.addAll(List.of("--customize-hook=sh \"$LONGSHORE_RECIPE/customize.sh\" \"$1\"", SUITE, "/dev/null"));
        Map<String, String> environment = Map.of(
                "LONGSHORE_RECIPE", recipeDirectory.toString(),
                "LONGSHORE_OUT", out.toString(),
                "TMPDIR", readable(work.resolve("tmp")).toString(),
                // For the scripts of Debian's kernel packages: the initial file system is ours.
                "INITRD", "No");
        Deque<String> output = new ArrayDeque<>();
        int code = tools.runLogged(command, environment, log, line -> {
            keep(output, line);
            String step = step(line);
            if (step != null) {
                progress.accept(step);
            }
        });
        if (code != 0) {
            throw failure("mmdebstrap", code, output);
        }
    }

    /** What a line of mmdebstrap or the hook says to the user, null for most lines. */
    private static @Nullable String step(String line) {
        if (line.startsWith("longshore-step: ")) {
            return line.substring("longshore-step: ".length());
        }
        return switch (line) {
            case "I: running apt-get update..." -> "reading the package lists";
            case "I: downloading packages with apt..." -> "downloading the base system";
            case "I: installing essential packages..." -> "installing the base system";
            case "I: installing remaining packages inside the chroot..." -> "downloading and installing the Engine";
            default -> null;
        };
    }

    private GuestImage install(Path out, Writer log) throws ImageException, IOException, InterruptedException {
        progress.accept("finishing the guest image");
        Path fresh = images().resolve(recipe.hash() + ".new");
        deleteTree(fresh);
        Files.createDirectories(fresh);
        List<String> kernelFiles =
                switch (recipe.kernel()) {
                    case UML -> List.of(GuestImage.UML_KERNEL);
                    case CLOUD -> List.of(GuestImage.CLOUD_KERNEL);
                };
        List<String> files = new ArrayList<>(List.of(GuestImage.ROOT_FILE_SYSTEM, GuestImage.PACKAGES));
        files.addAll(kernelFiles);
        // cp, because it keeps the holes of a sparse file.
        for (String file : files) {
            run(
                    log,
                    "cp",
                    "--sparse=always",
                    out.resolve(file).toString(),
                    fresh.resolve(file).toString());
        }
        switch (recipe.kernel()) {
            case UML -> new KernelFit(tools, log).fit(fresh.resolve(GuestImage.UML_KERNEL), out, fresh, directory());
            case CLOUD ->
                new Initramfs()
                        .file("init", recipe.content("initrd-init"))
                        .file("bin/busybox", Files.readAllBytes(out.resolve("busybox")))
                        .file("virtio_blk.ko", Files.readAllBytes(out.resolve("virtio_blk.ko")))
                        .directory("root")
                        .writeTo(fresh.resolve(GuestImage.CLOUD_INITRD));
        }
        Path manifest = fresh.resolve(GuestImage.MANIFEST);
        try (Writer writer = Files.newBufferedWriter(manifest)) {
            properties(fresh).store(writer, null);
        }
        deleteTree(directory()); // whatever is there is not a complete image
        Files.move(fresh, directory(), StandardCopyOption.ATOMIC_MOVE);
        GuestImage image = find();
        if (image == null) {
            throw new ImageException("the guest image was built but can't be read in " + directory());
        }
        prune();
        return image;
    }

    /** Deletes the images of other recipes that nobody started a guest from for long. */
    private void prune() throws IOException {
        Instant limit = Instant.now().minus(KEPT_UNUSED);
        List<Path> others;
        try (Stream<Path> entries = Files.list(images())) {
            others = entries.filter(entry -> !entry.equals(directory())).toList();
        }
        for (Path other : others) {
            GuestImage image = GuestImage.open(other);
            if (image != null && image.lastUsed().isBefore(limit)) {
                LOG.info("deleting the guest image {}, unused since {}", other, image.lastUsed());
                deleteTree(other);
            }
        }
    }

    private Properties properties(Path fresh) throws IOException {
        Properties properties = new Properties();
        for (String line : Files.readAllLines(fresh.resolve(GuestImage.PACKAGES))) {
            String[] nameAndVersion = line.split(" ", 2);
            if (nameAndVersion.length == 2) {
                switch (nameAndVersion[0]) {
                    case "docker.io" -> properties.setProperty("engine", nameAndVersion[1]);
                    case "user-mode-linux", "linux-image-cloud-amd64" ->
                        properties.setProperty("kernel", nameAndVersion[1]);
                    default -> {}
                }
            }
        }
        properties.setProperty("recipe", recipe.hash());
        if (recipe.kernel() == GuestKernel.UML) {
            boolean seccomp = KernelFit.knowsSeccomp(fresh.resolve(GuestImage.UML_KERNEL));
            properties.setProperty("uml.seccomp", String.valueOf(seccomp));
        }
        return properties;
    }

    private void run(Writer log, String... command) throws ImageException, IOException, InterruptedException {
        Deque<String> output = new ArrayDeque<>();
        int code = tools.runLogged(List.of(command), Map.of(), log, line -> keep(output, line));
        if (code != 0) {
            throw failure(command[0], code, output);
        }
    }

    private ImageException failure(String tool, int code, Deque<String> output) {
        return new ImageException("the guest image was not built: "
                + BuildFailure.explain(tool, code, List.copyOf(output)) + ". The whole build log is " + buildLog());
    }

    private static void keep(Deque<String> output, String line) {
        output.addLast(line);
        if (output.size() > KEPT_LINES) {
            output.removeFirst();
        }
    }

    private static Path readable(Path directory) throws IOException {
        Files.createDirectory(directory);
        return Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwxr-xr-x"));
    }

    private static void deleteTree(Path top) throws IOException {
        if (!Files.exists(top)) {
            return;
        }
        try (Stream<Path> walk = Files.walk(top)) {
            for (Path path : walk.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(path);
            }
        }
    }
}
