package dev.longshore.it;

import java.io.InputStream;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.testcontainers.containers.BindMode;
import org.testcontainers.containers.GenericContainer;
import org.testcontainers.containers.wait.strategy.Wait;
import org.testcontainers.utility.DockerImageName;
import org.testcontainers.utility.MountableFile;

/** What a project's tests do with Testcontainers. {@link TestcontainersIT} runs it. */
public final class TestcontainersUser {
    /** Folders and files of the host in a container: bound, and copied both ways. */
    private static void files(String image, Path folder) throws Exception {
        Files.writeString(folder.resolve("in.txt"), "by the host");
        try (GenericContainer<?> box = new GenericContainer<>(DockerImageName.parse(image))) {
            box.withFileSystemBind(folder.toString(), "/bound", BindMode.READ_WRITE)
                    .withFileSystemBind(folder.toString(), "/only", BindMode.READ_ONLY)
                    .withCopyFileToContainer(MountableFile.forHostPath(folder.resolve("in.txt")), "/copied/in.txt")
                    .withCommand("sleep", "1000")
                    .start();
            System.out.println(
                    "bound: " + box.execInContainer("cat", "/bound/in.txt").getStdout());
            System.out.println(
                    "copied: " + box.execInContainer("cat", "/copied/in.txt").getStdout());
            System.out.println("read-only: "
                    + box.execInContainer("touch", "/only/x").getStderr().contains("Read-only"));
            box.execInContainer("sh", "-c", "echo by the container > /bound/out.txt");
            box.copyFileFromContainer(
                    "/bound/out.txt", folder.resolve("back.txt").toString());
        }
    }

    /** Takes the image's name, and "files" and a folder, or "stay" to wait for its end with the container running. */
    public static void main(String[] arguments) throws Exception {
        if (arguments.length > 2) {
            files(arguments[0], Path.of(arguments[2]));
            System.exit(0); // docker-java leaves threads behind
        }
        try (GenericContainer<?> web = new GenericContainer<>(DockerImageName.parse(arguments[0]))) {
            web.withExposedPorts(80)
                    .withCommand("httpd", "-f", "-vv", "-p", "80", "-h", "/www")
                    .waitingFor(Wait.forHttp("/index.html"))
                    .start();
            URI uri = URI.create("http://" + web.getHost() + ":" + web.getMappedPort(80) + "/");
            try (InputStream page = uri.toURL().openStream()) {
                System.out.print("http: " + new String(page.readAllBytes(), StandardCharsets.UTF_8));
            }
            if (arguments.length > 1) {
                System.out.println("staying");
                Thread.currentThread().join();
            }
            System.out.print(
                    "exec: " + web.execInContainer("echo", "in the container").getStdout());
        }
        System.out.println("stopped");
        System.exit(0); // docker-java leaves threads behind
    }

    private TestcontainersUser() {}
}
