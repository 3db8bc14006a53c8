package dev.longshore.vm.image;

import java.io.IOException;
import java.io.Reader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.Properties;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A finished image in the cache. Immutable; shared read-only by all guests of the user.
 *
 * @param directory holds all of it
 * @param properties what the build noted: {@code engine}, {@code kernel}, {@code uml.seccomp}, …
 */
public record GuestImage(Path directory, Properties properties) {
    private static final Logger LOG = LoggerFactory.getLogger(GuestImage.class);

    static final String MANIFEST = "manifest.properties";
    static final String ROOT_FILE_SYSTEM = "rootfs.ext4";
    static final String UML_KERNEL = "linux";
    static final String CLOUD_KERNEL = "vmlinuz";
    static final String CLOUD_INITRD = "initrd";
    static final String PACKAGES = "packages.txt";

    /** Null if there is no finished image in the directory. */
    static @Nullable GuestImage open(Path directory) {
        Properties properties = new Properties();
        try (Reader reader = Files.newBufferedReader(directory.resolve(MANIFEST))) {
            properties.load(reader);
        } catch (IOException e) {
            return null;
        }
        GuestImage image = new GuestImage(directory, properties);
        return Files.isReadable(image.rootFileSystem()) ? image : null;
    }

    /** Remembered as the manifest's time; of no use, and no harm, where the cache can't be written to. */
    void markUsed() {
        try {
            Files.setLastModifiedTime(directory.resolve(MANIFEST), FileTime.from(Instant.now()));
        } catch (IOException e) {
            LOG.debug("the use of {} is not noted: {}", directory, e.toString());
        }
    }

    Instant lastUsed() throws IOException {
        return Files.getLastModifiedTime(directory.resolve(MANIFEST)).toInstant();
    }

    /** ext4 without a journal; never written to. */
    public Path rootFileSystem() {
        return directory.resolve(ROOT_FILE_SYSTEM);
    }

    /** The kernel of User-mode Linux, a program that runs on this host; in an image of {@link GuestKernel#UML} only. */
    public Path umlKernel() {
        return directory.resolve(UML_KERNEL);
    }

    /** The kernel for virtual machines; in an image of {@link GuestKernel#CLOUD} only. */
    public Path cloudKernel() {
        return directory.resolve(CLOUD_KERNEL);
    }

    /** What that kernel starts from. */
    public Path cloudInitrd() {
        return directory.resolve(CLOUD_INITRD);
    }

    /** True if the User-mode Linux kernel knows {@code seccomp=on}; Debian 13's does not. */
    public boolean umlSeccomp() {
        return Boolean.parseBoolean(properties.getProperty("uml.seccomp"));
    }

    /** Debian's version of the Engine. */
    public String engineVersion() {
        return properties.getProperty("engine", "unknown");
    }

    /** Debian's version of the kernel. */
    public String kernelVersion() {
        return properties.getProperty("kernel", "unknown");
    }
}
