package dev.longshore.it;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.stream.Stream;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * A project of npm's with a lock file, and a registry on the host that has what the lock file names: packages of other people's, as Debian
 * has them below {@code /usr/share/nodejs}. No test reaches the Internet.
 */
final class NpmProject implements AutoCloseable {
    private static final JsonMapper JSON = JsonMapper.shared();

    private final Path tarballs;
    private final HostServer registry;
    private final int packages;

    /**
     * @param folder gets package.json and package-lock.json
     * @param nodejs a folder of packages
     * @param most that many of them at most
     */
    NpmProject(Path folder, Path nodejs, int most) throws IOException {
        tarballs = Files.createTempDirectory("lsit-npm-");
        registry = new HostServer(this::serve);
        ObjectNode wanted = JSON.createObjectNode();
        ObjectNode locked = JSON.createObjectNode();
        ObjectNode root = locked.putObject("").put("name", "project").put("version", "1.0.0");
        List<Path> all = packages(nodejs);
        all = all.subList(0, Math.min(most, all.size()));
        for (int i = 0; i < all.size(); i++) {
            JsonNode told = JSON.readTree(Files.readString(all.get(i).resolve("package.json")));
            String name = told.path("name").asString();
            String version = told.path("version").asString();
            wanted.put(name, version);
            ObjectNode entry = locked.putObject("node_modules/" + name)
                    .put("version", version)
                    .put("resolved", "http://host.docker.internal:" + registry.port() + "/" + i + ".tgz")
                    .put("integrity", pack(all.get(i), tarballs.resolve(i + ".tgz")));
            if (told.has("bin")) {
                entry.set("bin", told.path("bin"));
            }
        }
        root.set("dependencies", wanted);
        packages = all.size();
        ObjectNode project = JSON.createObjectNode().put("name", "project").put("version", "1.0.0");
        project.set("dependencies", wanted);
        ObjectNode lock = JSON.createObjectNode()
                .put("name", "project")
                .put("version", "1.0.0")
                .put("lockfileVersion", 3)
                .put("requires", true);
        lock.set("packages", locked);
        Files.writeString(folder.resolve("package.json"), JSON.writeValueAsString(project));
        Files.writeString(folder.resolve("package-lock.json"), JSON.writeValueAsString(lock));
    }

    int packages() {
        return packages;
    }

    /** Those whose package.json says what they are called, and calls them what their folder is called. */
    private static List<Path> packages(Path nodejs) throws IOException {
        List<Path> found = new ArrayList<>();
        try (Stream<Path> files = Files.walk(nodejs, 3)) {
            for (Path file :
                    files.filter(f -> f.endsWith("package.json")).sorted().toList()) {
                JsonNode told = JSON.readTree(Files.readString(file));
                if (told.path("name")
                                .asString()
                                .equals(nodejs.relativize(file.getParent()).toString())
                        && told.path("version").asString().matches("[0-9]+\\.[0-9]+\\.[0-9]+")) {
                    found.add(file.getParent());
                }
            }
        }
        return found;
    }

    /** Returns what npm calls the integrity of the archive. */
    private static String pack(Path folder, Path into) throws IOException {
        Command.of(
                        "tar",
                        "-C",
                        folder.toString(),
                        "--hard-dereference",
                        "--transform=s,^\\.,package,",
                        "--mode=u+rw",
                        "-czf",
                        into.toString(),
                        ".")
                .run()
                .expectOk();
        try {
            byte[] digest = MessageDigest.getInstance("SHA-512").digest(Files.readAllBytes(into));
            return "sha512-" + Base64.getEncoder().encodeToString(digest);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }

    private void serve(Socket s) throws IOException {
        BufferedReader in = new BufferedReader(new InputStreamReader(s.getInputStream(), StandardCharsets.ISO_8859_1));
        String path = in.readLine().replaceFirst("^GET /([0-9]+\\.tgz) HTTP/1\\.1$", "$1");
        for (String line = in.readLine(); line != null && !line.isEmpty(); line = in.readLine()) {
            // nothing of the head matters
        }
        byte[] body = Files.readAllBytes(tarballs.resolve(path));
        String head = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: " + body.length + "\r\n\r\n";
        s.getOutputStream().write(head.getBytes(StandardCharsets.ISO_8859_1));
        s.getOutputStream().write(body);
    }

    @Override
    public void close() {
        registry.close();
        Product.deleteTree(tarballs);
    }
}
