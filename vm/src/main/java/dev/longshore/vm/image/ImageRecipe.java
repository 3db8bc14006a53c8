package dev.longshore.vm.image;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.JarURLConnection;
import java.net.URISyntaxException;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.Stream;

/**
 * All that decides what an image is: the files of the recipe and the agent's sources. Immutable.
 *
 * <p>Two recipes of the same hash build interchangeable images: the same packages (Debian 13 moves on only by security
 * and point releases) with the same files of ours.
 */
public final class ImageRecipe {
    /** Where the agent's sources are among the files. */
    static final String AGENT_DIRECTORY = "agent/";

    /** Raised when ImageBuilder itself comes to build something else from the same files. */
    private static final String BUILDER_REVISION = "1";

    private static final int HASH_CHARACTERS = 16;

    private final GuestKernel kernel;
    private final SortedMap<String, byte[]> files;

    /** @param files by path relative to the recipe, with / as separator */
    ImageRecipe(GuestKernel kernel, Map<String, byte[]> files) {
        this.kernel = kernel;
        this.files = Collections.unmodifiableSortedMap(new TreeMap<>(files));
    }

    /** The recipe that this program carries. */
    public static ImageRecipe bundled(GuestKernel kernel) {
        Map<String, byte[]> files = new TreeMap<>(resources("recipe", ""));
        files.putAll(resources("agent", AGENT_DIRECTORY));
        return new ImageRecipe(kernel, files);
    }

    public GuestKernel kernel() {
        return kernel;
    }

    /** Names the image in the cache. */
    public String hash() {
        MessageDigest digest = sha256();
        update(digest, BUILDER_REVISION.getBytes(StandardCharsets.UTF_8));
        update(digest, kernel.name().getBytes(StandardCharsets.UTF_8));
        files.forEach((path, content) -> {
            update(digest, path.getBytes(StandardCharsets.UTF_8));
            update(digest, content);
        });
        return HexFormat.of().formatHex(digest.digest()).substring(0, HASH_CHARACTERS);
    }

    /** Debian's names: of the Engine and its system, and of the kernel. */
    List<String> packages() {
        List<String> packages = new ArrayList<>(list("packages.txt"));
        packages.addAll(
                switch (kernel) {
                    case UML -> list("packages-uml.txt");
                    case CLOUD -> list("packages-cloud.txt");
                });
        return packages;
    }

    /** The words before {@code #}, one a line. */
    private List<String> list(String file) {
        List<String> packages = new ArrayList<>();
        for (String line : text(file).lines().toList()) {
            String name = line.replaceFirst("#.*", "").trim();
            if (!name.isEmpty()) {
                packages.add(name);
            }
        }
        return packages;
    }

    /** The C files of the agent, as paths relative to the recipe. */
    List<String> agentSources() {
        return files.keySet().stream()
                .filter(path -> path.startsWith(AGENT_DIRECTORY) && path.endsWith(".c"))
                .toList();
    }

    /** Lays all files out below an existing directory, readable by everybody. */
    void writeTo(Path directory) throws IOException {
        for (Map.Entry<String, byte[]> file : files.entrySet()) {
            Path path = directory.resolve(file.getKey());
            Files.createDirectories(Objects.requireNonNull(path.getParent()));
            Files.write(path, file.getValue());
        }
    }

    byte[] content(String file) {
        return Objects.requireNonNull(files.get(file), file).clone();
    }

    private String text(String file) {
        return new String(content(file), StandardCharsets.UTF_8);
    }

    /** With its length before it, so that no two lists of parts give the same bytes. */
    private static void update(MessageDigest digest, byte[] part) {
        digest.update((part.length + ":").getBytes(StandardCharsets.UTF_8));
        digest.update(part);
    }

    private static Map<String, byte[]> resources(String directory, String prefix) {
        URL url = Objects.requireNonNull(ImageRecipe.class.getResource(directory), directory);
        try {
            if (url.openConnection() instanceof JarURLConnection jar) {
                // Opened by its path and not by its URI: such a file system is ours alone, and may be open twice.
                try (FileSystem files =
                        FileSystems.newFileSystem(Path.of(jar.getJarFileURL().toURI()))) {
                    return read(files.getPath(jar.getEntryName()), prefix);
                }
            }
            return read(Path.of(url.toURI()), prefix);
        } catch (URISyntaxException e) {
            throw new IllegalStateException(e); // a class loader's own URL
        } catch (IOException e) {
            throw new UncheckedIOException("the program's own files can't be read", e);
        }
    }

    private static Map<String, byte[]> read(Path top, String prefix) throws IOException {
        Map<String, byte[]> files = new TreeMap<>();
        try (Stream<Path> walk = Files.walk(top)) {
            for (Path file : walk.filter(Files::isRegularFile).toList()) {
                files.put(prefix + top.relativize(file).toString().replace('\\', '/'), Files.readAllBytes(file));
            }
        }
        return files;
    }

    private static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e); // every JDK has it
        }
    }
}
