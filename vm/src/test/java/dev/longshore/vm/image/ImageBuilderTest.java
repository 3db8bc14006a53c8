package dev.longshore.vm.image;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The builder's own work: the tools are scripts. */
@Timeout(60)
class ImageBuilderTest {
    private final List<String> progress = new CopyOnWriteArrayList<>();
    private final ImageRecipe recipe = ImageRecipe.bundled(GuestKernel.UML);

    @TempDir
    private Path directory;

    private FakeTools fake;

    @BeforeEach
    void setUp() throws IOException {
        fake = new FakeTools(directory.resolve("bin"));
        Files.createDirectory(directory.resolve("scratch"));
    }

    @Test
    void emptyCache_ensure_buildsAndTellsEachStep() throws Exception {
        GuestImage image = builder().ensure();

        assertThat(image.directory())
                .isEqualTo(directory.resolve("cache/images").resolve(recipe.hash()));
        assertThat(image.rootFileSystem()).hasContent("root");
        assertThat(image.umlKernel()).isExecutable();
        assertThat(image.engineVersion()).isEqualTo("26.1.5");
        assertThat(image.kernelVersion()).isEqualTo("6.12um1");
        assertThat(image.umlSeccomp()).isFalse();
        assertThat(progress)
                .containsExactly(
                        "compiling the guest's agent",
                        "downloading the base system",
                        "writing the root file system",
                        "finishing the guest image");
        assertThat(fake.arguments("mmdebstrap"))
                .contains("--include=docker.io,containerd")
                .endsWith(" trixie /dev/null\n");
    }

    @Test
    void built_nothingIsLeftInScratch() throws Exception {
        builder().ensure();

        assertScratchIsEmpty();
    }

    @Test
    void imageThere_ensure_buildsNothing() throws Exception {
        GuestImage first = builder().ensure();
        progress.clear();

        assertThat(builder().ensure()).isEqualTo(first);
        assertThat(builder().find()).isEqualTo(first);
        assertThat(progress).isEmpty();
        assertThat(fake.runs("mmdebstrap")).isEqualTo(1);
    }

    @Test
    void damagedImageThere_ensure_buildsAgain() throws Exception {
        GuestImage image = builder().ensure();
        Files.delete(image.rootFileSystem());

        assertThat(builder().find()).isNull();
        assertThat(builder().ensure().rootFileSystem()).exists();
        assertThat(fake.runs("mmdebstrap")).isEqualTo(2);
    }

    @Test
    void built_imagesUnusedForLongAreDeleted_othersStay() throws Exception {
        Path old = image("0000000000000001", Duration.ofDays(31));
        Path recent = image("0000000000000002", Duration.ofDays(29));

        builder().ensure();

        assertThat(old).doesNotExist();
        assertThat(recent).exists();
    }

    @Test
    void imageUsed_isNotOldAnyMore() throws Exception {
        Path manifest = builder().ensure().directory().resolve("manifest.properties");
        Files.setLastModifiedTime(manifest, FileTime.from(Instant.EPOCH));

        builder().ensure();

        assertThat(Files.getLastModifiedTime(manifest).toInstant()).isAfter(Instant.EPOCH);
    }

    private Path image(String name, Duration age) throws IOException {
        Path image = Files.createDirectories(directory.resolve("cache/images").resolve(name));
        Files.writeString(image.resolve("rootfs.ext4"), "root");
        Path manifest = Files.writeString(image.resolve("manifest.properties"), "");
        Files.setLastModifiedTime(manifest, FileTime.from(Instant.now().minus(age)));
        return image;
    }

    @Test
    void severalBuilders_oneBuilds() throws Exception {
        fake.put("gcc", "sleep 0.3; while [ $# -gt 0 ]; do [ \"$1\" = -o ] && echo agent > \"$2\"; shift; done");
        try (ExecutorService threads = Executors.newFixedThreadPool(3)) {
            Callable<GuestImage> ensure = () -> builder().ensure();
            for (Future<GuestImage> image : threads.invokeAll(List.of(ensure, ensure, ensure))) {
                assertThat(image.get().rootFileSystem()).exists();
            }
        }

        assertThat(fake.runs("mmdebstrap")).isEqualTo(1);
        assertThat(progress).contains("waiting for another build of the guest image");
    }

    @Test
    void toolsMissing_ensure_namesThemAndTheCommand() throws Exception {
        fake.remove("mmdebstrap");
        fake.remove("gcc");

        assertThatThrownBy(() -> builder(fake.only()).ensure())
                .isInstanceOf(ImageException.class)
                .hasMessage("building the guest image needs gcc, mmdebstrap: sudo apt-get install gcc mmdebstrap");
    }

    @Test
    void archiveOutOfReach_ensure_saysSo() throws Exception {
        fake.put("mmdebstrap", "echo \"E: Failed to fetch InRelease  Could not resolve 'archive.example'\"; exit 25");

        assertThatThrownBy(() -> builder().ensure())
                .isInstanceOf(ImageException.class)
                .hasMessageContaining("the Debian archive can't be reached")
                .hasMessageContaining("http_proxy")
                .hasMessageContaining("Could not resolve 'archive.example'")
                .hasMessageContaining(builder().buildLog().toString());
    }

    @Test
    void diskFull_ensure_saysSo() throws Exception {
        fake.put("mmdebstrap", "echo 'E: Failed to fetch x: write error: No space left on device'; exit 25");

        assertThatThrownBy(() -> builder().ensure()).hasMessageContaining("there is no space left on the disk");
    }

    @Test
    void noUserNamespaces_ensure_saysWhatToDo() throws Exception {
        fake.put("mmdebstrap", "echo 'E: unshare() failed: Operation not permitted'; exit 1");

        assertThatThrownBy(() -> builder().ensure())
                .hasMessageContaining("/etc/subuid")
                .hasMessageContaining("or run this once as root");
    }

    @Test
    void agentDoesNotCompile_ensure_showsTheError() throws Exception {
        fake.put("gcc", "echo 'main.c:1: fatal error: sys/socket.h: No such file'; exit 1");

        assertThatThrownBy(() -> builder().ensure())
                .hasMessageContaining("gcc failed with exit code 1: main.c:1: fatal error");
    }

    @Test
    void buildFails_nextOneStartsAfresh_andTheLogIsKept() throws Exception {
        fake.put("mmdebstrap", "echo half > \"$LONGSHORE_OUT/rootfs.ext4\"; echo 'E: broken'; exit 2");
        assertThatThrownBy(() -> builder().ensure())
                .hasMessageContaining("mmdebstrap failed with exit code 2: E: broken");
        assertThat(builder().find()).isNull();
        assertThat(Files.readString(builder().buildLog())).contains("E: broken");
        assertScratchIsEmpty();

        fake = new FakeTools(directory.resolve("bin"));
        assertThat(builder().ensure().rootFileSystem()).hasContent("root");
    }

    @Test
    void interrupted_ensure_endsTheToolsAndLeavesNothing() throws Exception {
        fake.put(
                "mmdebstrap",
                "echo half > \"$LONGSHORE_OUT/rootfs.ext4\"; echo 'longshore-step: sleeping'; sleep 47.11");
        CountDownLatch sleeping = new CountDownLatch(1);
        ImageBuilder builder = new ImageBuilder(
                directory.resolve("cache"), directory.resolve("scratch"), recipe, fake.tools(), step -> {
                    if (step.equals("sleeping")) {
                        sleeping.countDown();
                    }
                });
        try (ExecutorService thread = Executors.newSingleThreadExecutor()) {
            Future<GuestImage> image = thread.submit(builder::ensure);
            sleeping.await();

            thread.shutdownNow();

            assertThatThrownBy(image::get).hasCauseInstanceOf(InterruptedException.class);
        }
        assertThat(builder.find()).isNull();
        assertScratchIsEmpty();
        assertThat(ProcessHandle.current()
                        .descendants()
                        .map(p -> p.info().commandLine().orElse("")))
                .noneMatch(line -> line.contains("47.11"));
    }

    @Test
    void kernelTooNewForTheHost_getsTheImagesLibraries() throws Exception {
        fake.put("patchelf", """
                echo "$*" >> "$(dirname "$0")/patchelf.runs"
                for kernel; do :; done
                printf '#!/bin/sh\\nexit 0\\n' > "$kernel"
                """);
        oldHost();

        GuestImage image = builder().ensure();

        assertThat(image.directory().resolve("ld.so")).isExecutable();
        assertThat(image.directory().resolve("libc.so.6")).exists();
        List<String> runs = Files.readAllLines(directory.resolve("bin/patchelf.runs"));
        assertThat(runs.getLast())
                .startsWith("--set-interpreter " + image.directory() + "/ld.so --set-rpath " + image.directory() + " ");
    }

    @Test
    void kernelTooNewForTheHost_patchelfMissing_saysSo() throws Exception {
        oldHost();
        for (String program : List.of("cp")) {
            fake.put(program, "exec /bin/cp \"$@\"");
        }
        fake.put("dirname", "exec /usr/bin/dirname \"$@\"");

        assertThatThrownBy(() -> builder(fake.only()).ensure()).hasMessageContaining("sudo apt-get install patchelf");
    }

    /** Debian's kernel program as it is on a host with an older C library. */
    private void oldHost() throws IOException {
        String usual = Files.readString(directory.resolve("bin/mmdebstrap")).replaceFirst("#!/bin/sh\n", "");
        fake.put("mmdebstrap", usual + "printf '#!/bin/sh\\nexit 1\\n' > \"$LONGSHORE_OUT/linux\"");
    }

    private ImageBuilder builder() {
        return builder(fake.tools());
    }

    private ImageBuilder builder(HostTools tools) {
        return new ImageBuilder(directory.resolve("cache"), directory.resolve("scratch"), recipe, tools, progress::add);
    }

    private void assertScratchIsEmpty() throws IOException {
        try (Stream<Path> left = Files.list(requireNonNull(directory.resolve("scratch")))) {
            assertThat(left).isEmpty();
        }
    }
}
