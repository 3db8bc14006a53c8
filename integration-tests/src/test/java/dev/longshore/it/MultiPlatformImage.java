package dev.longshore.it;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;

/**
 * One image for two platforms, as an OCI layout in a tar file (OCI image specification, image-layout.md): each has the root file
 * system it is given, and a file {@code /platform}.
 */
final class MultiPlatformImage {
    static final String NAME = "longshore-platforms:1";

    private final Path layout;
    private final Path rootfs;
    private final List<String> manifests = new ArrayList<>();
    private final List<String> digests = new ArrayList<>();

    private MultiPlatformImage(Path directory, Path rootfs) throws IOException {
        this.layout = Files.createDirectories(directory.resolve("layout"));
        this.rootfs = rootfs;
        Files.createDirectories(layout.resolve("blobs/sha256"));
    }

    /** The digests of both manifests: hex. */
    List<String> digests() {
        return List.copyOf(digests);
    }

    Path tar() {
        return layout.resolveSibling("platforms.tar");
    }

    static MultiPlatformImage make(Path directory, Path rootfs) throws IOException {
        MultiPlatformImage image = new MultiPlatformImage(directory, rootfs);
        image.add("amd64");
        image.add("arm64");
        byte[] index = json("""
                {"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[%s]}""".formatted(String.join(",", image.manifests)));
        String root = image.blob(index);
        Files.write(image.layout.resolve("index.json"), json("""
                {"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.index.v1+json","digest":"sha256:%s","size":%d,
                "annotations":{"io.containerd.image.name":"docker.io/library/%s","org.opencontainers.image.ref.name":"1"}}]}""".formatted(root, index.length, NAME)));
        Files.writeString(image.layout.resolve("oci-layout"), "{\"imageLayoutVersion\":\"1.0.0\"}");
        tar(image.layout, image.tar());
        return image;
    }

    private void add(String architecture) throws IOException {
        Files.writeString(rootfs.resolve("platform"), architecture + "\n");
        Path tar = layout.resolveSibling(architecture + ".tar");
        tar(rootfs, tar);
        byte[] layer = Files.readAllBytes(tar);
        String layerDigest = blob(layer);
        byte[] config = json("""
                {"architecture":"%s","os":"linux","config":{"Env":["PATH=/bin"],"Cmd":["cat","/platform"]},
                "rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}""".formatted(architecture, layerDigest));
        byte[] manifest = json("""
                {"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",
                "config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:%s","size":%d},
                "layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"sha256:%s","size":%d}]}""".formatted(blob(config), config.length, layerDigest, layer.length));
        String digest = blob(manifest);
        digests.add(digest);
        manifests.add(new String(json("""
                {"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:%s","size":%d,
                "platform":{"architecture":"%s","os":"linux"}}""".formatted(digest, manifest.length, architecture)), StandardCharsets.UTF_8));
    }

    private static void tar(Path directory, Path to) {
        Command.of("tar", "-C", directory.toString(), "-cf", to.toString(), ".")
                .run()
                .expectOk();
    }

    private static byte[] json(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    /** Returns its digest. */
    private String blob(byte[] content) throws IOException {
        try {
            String digest = HexFormat.of()
                    .formatHex(MessageDigest.getInstance("SHA-256").digest(content));
            Files.write(layout.resolve("blobs/sha256").resolve(digest), content);
            return digest;
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError(e);
        }
    }
}
