package dev.longshore.it;

import java.io.InputStream;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import org.testcontainers.containers.GenericContainer;
import org.testcontainers.containers.wait.strategy.Wait;
import org.testcontainers.utility.DockerImageName;

/** What a project's tests do with Testcontainers. {@link TestcontainersIT} runs it. */
public final class TestcontainersUser {
    /** Takes the image's name, and "stay" to wait for its end with the container running. */
    public static void main(String[] arguments) throws Exception {
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
