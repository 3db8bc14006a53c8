package dev.longshore.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Images from and to a registry whose certificate is signed by an authority of the company's own. */
class PullsIT {
    private static final int REGISTRY = 15_443;
    private static final String AT_HOST = "host.docker.internal:" + REGISTRY;

    private static PeerMachine peers;
    private static Running registry;
    private static Product product;
    private static DockerCli docker;
    private static Path files;

    @BeforeAll
    @Timeout(value = 20, unit = TimeUnit.MINUTES) // the peers' root is made out of packages once
    static void start() throws IOException {
        files = Files.createTempDirectory("lsit-pulls-");
        peers = PeerRoot.ensure().bootHere();
        makeCertificates();
        peers.write("/lab/registry.yml", """
                version: 0.1
                log: {level: warn}
                storage: {filesystem: {rootdirectory: /lab/images}, delete: {enabled: true}}
                http:
                  addr: 127.0.0.1:%d
                  tls: {certificate: /lab/registry.pem, key: /lab/registry.key}
                """.formatted(REGISTRY));
        registry = peers.serve(REGISTRY, "docker-registry", "serve", "/lab/registry.yml");
        Path authority = files.resolve("company.pem");
        Files.copy(peers.path("/lab/company.pem"), authority);
        product = new Product();
        product.settings("{\"certificateAuthorities\": [\"" + authority + "\"]}");
        product.up();
        docker = product.docker();
        TestImage.build(docker, TestImage.makeContext(files.resolve("image")));
    }

    private static void makeCertificates() {
        peers.write("/lab/names", "subjectAltName=DNS:host.docker.internal,DNS:registry.test\n");
        for (List<String> line : List.of(
                List.of(
                        "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=Company -keyout company.key -out company.pem"),
                List.of("req -newkey rsa:2048 -nodes -subj /CN=registry -keyout registry.key -out registry.csr"),
                List.of("x509 -req -days 2 -in registry.csr -CA company.pem -CAkey company.key -CAcreateserial"
                        + " -extfile names -out registry.pem"))) {
            peers.in("sh", "-c", "cd /lab && openssl " + line.getFirst()).run().expectOk();
        }
    }

    @AfterAll
    static void stop() {
        if (product != null) {
            product.close();
        }
        if (registry != null) {
            registry.close();
        }
        if (peers != null) {
            peers.close();
        }
        Product.deleteTree(files);
    }

    @Test
    void companysAuthority_isTrustedByTheEngine() {
        String image = AT_HOST + "/team/app:1";
        docker.ok("tag", TestImage.NAME, image);
        docker.ok("push", image);
        docker.ok("rmi", image);

        docker.ok("pull", image);

        assertThat(docker.ok("run", "--rm", image, "cat", "/www/index.html")).contains("hello from the container");
        assertThat(product.longshore("logs").run().expectOk().out())
                .containsPattern("the Engine trusts the host's [0-9]+ certificate authorities");
    }
}
